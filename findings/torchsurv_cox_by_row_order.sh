#!/usr/bin/env bash
# torchsurv: where one leaves the study on the day another dies, Cox's loss depends on which of the two rows is first.
#
# Guess:    the partial likelihood compares each one who dies with all still at risk, R(t_i) = {j: t_j >= t_i}, as
#           the docstring says: who leaves on that very day is among them. Rows have no order; and ties_method,
#           "efron" or "breslow", decides about two deaths on one day, and about nothing else.
# Happens:  with times in whole days or months, and no two deaths at once, shuffling the rows changes the loss,
#           its gradient, and so the fitted coefficient: a leaver whose row is sorted before the death is not at
#           risk. Half a day added to the leavers' times, or two deaths on one day anywhere, and all is right again.
# Why:      torchsurv/loss/cox.py, neg_partial_log_likelihood looks for ties among deaths alone; without one it calls
#           _partial_likelihood_cox, which sums over the rows that stand later in the sorting (torch.sort, not even a
#           stable one), while those for Efron and Breslow sum from the first row of that time on. (Issue 121
#           had asked to look for ties among deaths alone.)
# Versions: torchsurv 0.2.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     8 die, 8 leave, 200 shuffles: loss 1.735 to 2.077, by the formula 2.077; coefficient .348 to .672, by the
#           formula .367; leavers half a day later: 2.077 in all 200; two deaths on one day: 2.495 in all (Efron),
#           2.501 (Breslow)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torchsurv.loss.cox import neg_partial_log_likelihood as loss

torch.manual_seed(0)
MONTHS = 8
time = torch.arange(1.0, MONTHS + 1).repeat(2)                 # each month one dies and one leaves
event = torch.arange(2 * MONTHS) < MONTHS
x = torch.randn(2 * MONTHS) + 0.8 * event - 0.1 * time
orders = [torch.randperm(2 * MONTHS) for _ in range(200)]

def documented(risk, event, time):
    """The formula, with R(t) written out."""
    return -torch.stack([risk[i] - risk[time >= time[i]].logsumexp(0) for i in range(len(risk)) if event[i]]).mean()

def coefficient(function, rows):
    """The coefficient of x at the least loss."""
    b = torch.zeros((), requires_grad=True)
    search = torch.optim.LBFGS([b], max_iter=100, line_search_fn="strong_wolfe")
    def step():
        search.zero_grad()
        value = function(b * x[rows], event[rows], time[rows])
        value.backward()
        return value
    search.step(step)
    return b.item()

def span(values):
    return f"{min(values):.3f} to {max(values):.3f}"

shuffled = [loss(x[rows], event[rows], time[rows]).item() for rows in orders]
right = documented(x, event, time).item()
fitted = [coefficient(loss, rows) for rows in orders[:40]]
best = coefficient(documented, orders[0])
print(f"200 shuffles: loss {span(shuffled)}, by the formula {right:.3f}; coefficient {span(fitted)}, by the formula "
      f"{best:.3f}")
assert max(shuffled) < right + 1e-5 and max(shuffled) - min(shuffled) > 0.05
assert max(fitted) - min(fitted) > 0.1
assert all(abs(documented(x[rows], event[rows], time[rows]).item() - right) < 1e-5 for rows in orders)
assert all(abs(coefficient(documented, rows) - best) < 1e-3 for rows in orders[:5])

# The leavers half a day later: still at risk when the other dies, and no time twice
later = time + 0.02 * ~event
apart = [loss(x[rows], event[rows], later[rows]).item() for rows in orders]
print(f"200 shuffles with the leavers half a day later: loss {span(apart)}")
assert max(abs(value - right) for value in apart) < 1e-5

# Two more, who die on one day before all others
more = [torch.cat([torch.tensor(first), rest]) for first, rest in
        (([0.3, -0.2], x), ([True, True], event), ([0.5, 0.5], time))]
for method in ("efron", "breslow"):
    tied = [loss(*(part[rows] for part in more), ties_method=method).item()
            for rows in (torch.randperm(2 * MONTHS + 2) for _ in range(200))]
    print(f"200 shuffles with two deaths on one day, {method}: loss {span(tied)}")
    assert max(tied) - min(tied) < 1e-5
total = loss(*more, ties_method="breslow", reduction="sum")
assert torch.allclose(total, documented(*more) * more[1].sum())            # Breslow's is the formula as it stands
PY
