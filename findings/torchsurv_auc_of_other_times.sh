#!/usr/bin/env bash
# torchsurv: the AUC at a time judges the scores of another time, unless the censored subjects stand last.
#
# Guess:    scores that change with time are given as a square, "the risk score for subject i at the time of subject
#           j". Without new_time, AUC is evaluated at the times of the events, each with the column of that time:
#           what Auc gives with new_time=those times and those columns. Subjects may stand in any order.
# Happens:  so it is if all censored subjects, and the one with the last time, stand at the end. Else a time gets the
#           column of another: a model that is wrong before day 5 and right after it is good and bad at random, and
#           integral(), the summary, changes with the order of the subjects. So it is even if no one is censored:
#           the last time alone, in the middle, shifts what follows it. BrierScore, built alike, has the right columns.
# Why:      torchsurv/metrics/auc.py, Auc._update_auc_new_time: places are counted among time[mask], the events
#           before the last time, and then applied to all columns of estimate. weight, in the lines above, is masked
#           first.
# Versions: torchsurv 0.2.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     131 of 300 censored: on the wrong side of .5 at 49 % of the times, off by up to 1.00; integral .489 in
#           place of .612, .442 to .532 in 20 shuffles; censored last: 0; BrierScore: 0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torchsurv.metrics.auc import Auc
from torchsurv.metrics.brier_score import BrierScore

torch.manual_seed(0)
N = 300
time = 0.1 + 10 * torch.rand(N)
some, every = torch.rand(N) < 0.6, torch.ones(N, dtype=torch.bool)
risk = -time.log() + 0.5 * torch.randn(N)
score = risk[:, None] * torch.where(time < 5, -1.0, 1.0)       # subject i at the time of subject j: wrong before 5

def by_default(event, rows, kind="cumulative"):
    auc = Auc()
    values = auc(score[rows][:, rows], event[rows], time[rows], auc_type=kind)
    return auc.new_time, values, auc.integral().item()

def by_hand(event, kind="cumulative"):
    """The same times and their own columns, in words."""
    at = torch.arange(N)[event & (time < time.max())]
    at = at[time[at].argsort()]
    auc = Auc()
    values = auc(score[:, at], event, time, auc_type=kind, new_time=time[at])
    return time[at], values, auc.integral().item()

def share(event):
    """The formula of the docstring."""
    at = torch.arange(N)[event & (time < time.max())]
    at = at[time[at].argsort()]
    values = []
    for j in at.tolist():
        case, control = score[event & (time <= time[j]), j], score[time > time[j], j]
        values.append((case[:, None] > control).float().mean())
    return torch.stack(values)

given = torch.arange(N)
last = time == time.max()
ends = {title: torch.argsort((~event | last).int(), stable=True) for title, event in (("some", some), ("every", every))}
shuffles = [torch.randperm(N) for _ in range(20)]
times, hoped, hoped_mean = by_hand(some)
assert torch.allclose(hoped, share(some), atol=1e-5)
assert hoped[times < 5].max() < 0.4 and hoped[times >= 5].min() > 0.6
same, found, found_mean = by_default(some, given)
assert torch.equal(same, times)
turned = ((found > 0.5) != (hoped > 0.5)).float().mean().item()
means = [by_default(some, rows)[2] for rows in shuffles]
print(f"{(~some).sum()} of {N} censored: on the wrong side of .5 at {turned:.0%} of {len(times)} times, off by up to "
      f"{(found - hoped).abs().max():.2f}; integral {found_mean:.3f} in place of {hoped_mean:.3f}, shuffled "
      f"{min(means):.3f} to {max(means):.3f}")
assert turned > 0.3 and (found - hoped).abs().max() > 0.9 and max(means) - min(means) > 0.05
incident = (by_default(some, given, "incident")[1] - by_hand(some, "incident")[1]).abs().max().item()
print(f"auc_type incident: off by up to {incident:.2f}")
assert incident > 0.5
for title, event, rows in (("censored last", some, ends["some"]), ("no one censored, the last time last", every,
                           ends["every"]), ("no one censored, shuffled", every, shuffles[0])):
    off = (by_default(event, rows)[1] - by_hand(event)[1]).abs().max().item()
    print(f"{title}: off by {off:.2g}")
    assert off > 0.5 if "shuffled" in title else off < 1e-5
alive = torch.sigmoid(-score)
order = time.argsort()
apart = (BrierScore()(alive, some, time) - BrierScore()(alive[:, order], some, time, new_time=time[order])).abs().max()
print(f"BrierScore: off by {apart:.1g}")
assert apart < 1e-6
PY
