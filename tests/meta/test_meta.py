"""The meta-objective: independent values, plain loops, closed forms, and what must always hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from labkit import meta
from labkit.meta import batched

FIXTURE = Path(__file__).parents[1] / "fixtures/meta.npz"
few = cases(20)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def oracle(case: str, part: int) -> dict[str, Tensor]:
    """ "in/..." and "out/..." of one case."""
    stored, start = np.load(FIXTURE), f"{part}/{case}/"
    return {
        k[len(start) :]: torch.from_numpy(np.array(stored[k]))
        for k in stored.files
        if k.startswith(start)
    }


def mlp(seed: int = 0, hidden: int = 6, inputs: int = 2, outputs: int = 3) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs)).double()
    with torch.no_grad():
        g = generator(seed)
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=g, dtype=p.dtype))
    return model


def batch(tasks: int = 3, n: int = 4, m: int = 5, seed: int = 0) -> meta.TaskBatch:
    g = generator(seed)
    shapes = ((tasks, n, 2), (tasks, n, 3), (tasks, m, 2), (tasks, m, 3))
    return meta.TaskBatch(*(torch.randn(s, generator=g, dtype=torch.float64) for s in shapes))


def gradients(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True))


def plain_maml(model, tasks, lr, steps, loss_fn, first_order=False) -> Tensor:
    """MAML as the libraries write it: one task after another."""
    losses = []
    for sx, sy, qx, qy in zip(*tasks, strict=True):
        weights = dict(model.named_parameters())
        for _ in range(steps):
            loss = loss_fn(torch.func.functional_call(model, weights, (sx,)), sy)
            grads = torch.autograd.grad(loss, list(weights.values()), create_graph=not first_order)
            weights = {n: w - lr * g for (n, w), g in zip(weights.items(), grads, strict=True)}
        losses.append(loss_fn(torch.func.functional_call(model, weights, (qx,)), qy))
    return torch.stack(losses).mean()


# What other libraries compute


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("order", ["first", "second"])
def test_maml_equals_learn2learn_and_higher(order: str, part: int) -> None:
    """Float64 values of learn2learn 0.2.0, equal to higher's: tanh MLP 1-8-8-1, five steps."""
    case = oracle(f"maml_{order}_order", part)
    layers = (nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    model = nn.Sequential(*layers).double()
    with torch.no_grad():
        for i, layer in enumerate(layers[::2]):
            layer.weight.copy_(case[f"in/weight{i}"])
            layer.bias.copy_(case[f"in/bias{i}"])
    data = [case[f"in/{name}"] for name in meta.TaskBatch._fields]
    lr, steps = case["in/inner_lr"].item(), case["in/inner_steps"].item()
    loss = meta.maml_loss(model, *data, lr, steps, F.mse_loss, first_order=order == "first")
    assert abs(loss - case["out/loss"]) < 1e-10
    for i, gradient in enumerate(gradients(loss, model)):
        assert (gradient - case[f"out/grad{i}"]).abs().max() < 1e-10


@pytest.mark.parametrize("part", [0, 1])
def test_prototypes_equal_learn2learn(part: int) -> None:
    case = oracle("prototypical", part)
    support, query = (case[f"in/{name}"].requires_grad_() for name in ("support", "query"))
    logits = meta.prototypical_logits(support, case["in/support_labels"], query)
    loss = F.cross_entropy(logits, case["in/query_labels"])
    assert (logits - case["out/logits"]).abs().max() < 1e-10
    assert abs(loss - case["out/loss"]) < 1e-10
    for name, gradient in zip(
        ("support", "query"), torch.autograd.grad(loss, (support, query)), strict=True
    ):
        assert (gradient - case[f"out/d_{name}"]).abs().max() < 1e-10


# MAML against a plain loop


class Custom(nn.Module):
    """What a reader may write: no Sequential, a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.gain = nn.Linear(2, 3), nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * torch.tanh(self.inner(x))


LOSSES = {
    "mse": F.mse_loss,
    "a module": nn.MSELoss(),
    "a sum": lambda p, y: (p - y).square().sum(),
    "huber": F.huber_loss,
}


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("make", [mlp, lambda: Custom().double()], ids=["sequential", "custom"])
def test_maml_equals_a_loop_over_tasks(make, loss: str, first_order: bool) -> None:
    model, tasks, fn = make(), batch(), LOSSES[loss]
    ours = meta.maml_loss(model, *tasks, 0.02, 3, fn, first_order)
    expected = plain_maml(model, tasks, 0.02, 3, fn, first_order)
    assert torch.allclose(ours, expected, rtol=1e-10)
    for a, b in zip(gradients(ours, model), gradients(expected, model), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def test_classification_with_a_left_out_label_is_a_mean_within_each_task() -> None:
    model, tasks = mlp(), batch()
    labels = torch.tensor([[0, 1, 2, -100], [0, -100, -100, 1], [2, 1, 0, 0]])
    tasks = tasks._replace(support_y=labels, query_y=labels[:, [0, 0, 1, 2, 3]])
    ours = meta.maml_loss(model, *tasks, 0.1, 2, F.cross_entropy)
    assert torch.allclose(ours, plain_maml(model, tasks, 0.1, 2, F.cross_entropy), rtol=1e-10)


def test_convolutions_too() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)
    ).double()
    x = torch.randn(2, 3, 2, 3, 4, 4, generator=generator(), dtype=torch.float64)
    y = torch.tensor([0, 1]).expand(3, 2)
    tasks = meta.TaskBatch(x[0], y, x[1], y)
    ours = meta.maml_loss(model, *tasks, 0.4, 2, F.cross_entropy)
    expected = plain_maml(model, tasks, 0.4, 2, F.cross_entropy)
    for a, b in zip(gradients(ours, model), gradients(expected, model), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10)


@few
@given(tasks=st.integers(1, 4), n=st.integers(1, 4), m=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_order_of_tasks_does_not_matter_and_none_sees_another(tasks, n, m, seed) -> None:
    model, drawn = mlp(seed), batch(tasks, n, m, seed)
    turned = meta.TaskBatch(*(x.flip(0) for x in drawn))
    loss = meta.maml_loss(model, *drawn, 0.05, 2, F.mse_loss)
    assert torch.allclose(loss, meta.maml_loss(model, *turned, 0.05, 2, F.mse_loss))
    alone = [
        meta.maml_loss(model, *(x[i : i + 1] for x in drawn), 0.05, 2, F.mse_loss)
        for i in range(tasks)
    ]
    assert torch.allclose(loss, torch.stack(alone).mean())


def test_with_no_steps_the_objective_is_pretraining_on_all_data() -> None:
    model, tasks = mlp(), batch()
    pooled = F.mse_loss(model(tasks.query_x.flatten(0, 1)), tasks.query_y.flatten(0, 1))
    assert torch.allclose(meta.maml_loss(model, *tasks, 0.1, 0, F.mse_loss), pooled)


def test_the_model_is_left_alone_and_needs_no_outer_gradient() -> None:
    model, tasks = mlp(), batch()
    before = [p.clone() for p in model.parameters()]
    with torch.no_grad():
        loss = meta.maml_loss(model, *tasks, 0.1, 2, F.mse_loss)
    assert torch.allclose(loss, meta.maml_loss(model, *tasks, 0.1, 2, F.mse_loss))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_frozen_parameters_stay_and_only_the_head_moves_when_told() -> None:
    model, tasks = mlp(), batch()
    model[0].bias.requires_grad_(False)
    path = meta.GradientDescent(model, 0.1, 2, F.mse_loss).path(*tasks[:2])
    moved = {name for name in path[0] if not torch.equal(path[0][name], path[-1][name])}
    assert moved == {"0.weight", "2.weight", "2.bias"}
    head = meta.GradientDescent(model, 0.1, 2, F.mse_loss, only="2.").path(*tasks[:2])
    assert {n for n in head[0] if not torch.equal(head[0][n], head[-1][n])} == {
        "2.weight",
        "2.bias",
    }


def bad(**changes) -> dict:
    names = ("support_x", "support_y", "query_x", "query_y")
    arguments = dict(zip(names, batch(), strict=True), model=mlp(), inner_lr=0.1, inner_steps=1)
    return {**arguments, "loss_fn": F.mse_loss, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner_steps": -1}, "inner_steps: got -1"),
        ({"inner_steps": 1.5}, "inner_steps: got 1.5"),
        ({"inner_lr": float("nan")}, "inner_lr: got nan"),
        ({"inner_lr": -0.1}, "inner_lr: got -0.1"),
        ({"query_x": batch(2).query_x}, "first axes"),
        ({"support_y": batch(n=3).support_y}, "support_x .* and support_y"),
        ({"support_x": torch.zeros(0, 4, 2), "support_y": torch.zeros(0, 4, 3)}, "first axes"),
        ({"loss_fn": lambda p, y: (p - y).square()}, "loss_fn: returned shape"),
        ({"model": mlp().requires_grad_(False)}, "no parameter that can be adapted"),
        ({"model": nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3))}, "BatchNorm1d in training"),
    ],
)
def test_bad_input_is_named(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        meta.maml_loss(**bad(**changes))


def test_divergence_is_an_error_that_names_the_rate() -> None:
    with pytest.raises(FloatingPointError, match="lower inner_lr"):
        meta.maml_loss(**bad(inner_lr=1e200, inner_steps=5))


# Other algorithms A


def test_reptile_points_from_the_adapted_weights_back_to_theta() -> None:
    """Against torch's own SGD, task by task."""
    model, tasks = mlp(), batch()
    moved = []
    for x, y in zip(*tasks[:2], strict=True):
        copy = mlp()
        optimizer = torch.optim.SGD(copy.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.mse_loss(copy(x), y).backward()
            optimizer.step()
        moved.append([p.detach() for p in copy.parameters()])
    loss = meta.reptile_loss(model, *tasks[:2], 0.1, 3, F.mse_loss)
    ends = zip(*moved, strict=True)
    for g, p, end in zip(gradients(loss, model), model.parameters(), ends, strict=True):
        assert torch.allclose(g, p - torch.stack(end).mean(dim=0), atol=1e-12)


@few
@given(n=st.integers(1, 8), dim=st.integers(1, 8), strength=st.floats(1e-3, 1e3))
def test_ridge_equals_scikit_learn(n: int, dim: int, strength: float) -> None:
    x = torch.randn(2, n, dim, generator=generator(n), dtype=torch.float64)
    y = torch.randn(2, n, 3, generator=generator(dim), dtype=torch.float64)
    ours = meta.ridge(x, y, strength)
    for task in range(2):
        theirs = Ridge(strength, fit_intercept=False).fit(x[task].numpy(), y[task].numpy())
        assert np.allclose(ours[task], np.atleast_2d(theirs.coef_).T, atol=1e-8)


def test_ridge_needs_a_strength() -> None:
    with pytest.raises(ValueError, match="strength: got 0"):
        meta.ridge(torch.ones(2, 2), torch.ones(2, 1), 0)


def few_shot() -> meta.TaskBatch:
    """Two tasks of three well separated classes."""
    labels = torch.arange(3).repeat_interleave(4).expand(2, 12)
    centres = 6 * torch.randn(2, 3, 5, generator=generator(5), dtype=torch.float64)
    near = centres.repeat_interleave(4, dim=1)
    noise = torch.randn(2, *near.shape, generator=generator(6), dtype=torch.float64)
    return meta.TaskBatch(near + noise[0], labels, near + noise[1], labels)


@pytest.mark.parametrize("make", [meta.Prototypes, meta.RidgeHead, meta.LogisticHead])
def test_heads_on_features_learn_easy_tasks(make) -> None:
    tasks = few_shot()
    logits = make(nn.Identity())(*tasks[:2])(tasks.query_x)
    assert logits.shape == (2, 12, 3)
    assert (logits.argmax(dim=2) == tasks.query_y).float().mean() > 0.9


@pytest.mark.parametrize("make", [meta.Prototypes, meta.RidgeHead])
def test_theta_can_be_meta_trained_through_a_head(make) -> None:
    encoder = nn.Linear(5, 4).double()
    loss = meta.objective(make(encoder), few_shot(), F.cross_entropy)
    assert all(g.abs().sum() > 0 for g in gradients(loss, encoder)[:1])


def test_prototypes_by_hand() -> None:
    support = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]])
    logits = meta.prototypical_logits(
        support, torch.tensor([7, 7, 9]), torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    )
    assert torch.equal(logits, torch.tensor([[0.0, -26.0], [-10.0, -4.0]]))


@few
@given(seed=st.integers(0, 999))
def test_prototypes_ignore_order_and_shift(seed: int) -> None:
    g = generator(seed)
    support = torch.randn(6, 3, generator=g, dtype=torch.float64)
    query = torch.randn(4, 3, generator=g, dtype=torch.float64)
    labels, order = torch.tensor([0, 1, 2, 0, 1, 2]), torch.randperm(6, generator=g)
    logits = meta.prototypical_logits(support, labels, query)
    assert torch.allclose(meta.prototypical_logits(support[order], labels[order], query), logits)
    assert torch.allclose(meta.prototypical_logits(support + 2, labels, query + 2), logits)
    assert (logits <= 0).all()


@pytest.mark.parametrize(
    ("labels", "query", "message"),
    [
        (torch.zeros(3, dtype=torch.long), torch.zeros(2, 2), "support_labels .3,."),
        (torch.zeros(4, dtype=torch.long), torch.zeros(2, 3), "query .2, 3."),
    ],
)
def test_prototypes_name_what_does_not_fit(labels, query, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        meta.prototypical_logits(torch.zeros(4, 2), labels, query)
    with pytest.raises(ValueError, match="an example of every class"):
        meta.prototypical_logits(
            torch.zeros(2, 2, 3), torch.tensor([[0, 1], [1, 1]]), torch.zeros(2, 1, 3)
        )


# The outer loop


def test_training_lowers_the_objective_and_says_how_far_it_is() -> None:
    model, tasks, seen = mlp(), batch(), []

    def loss(drawn: meta.TaskBatch) -> Tensor:
        return meta.maml_loss(model, *drawn, 0.05, 1, F.mse_loss)

    losses = meta.train(
        model, loss, [tasks] * 30, 0.05, lambda *told: seen.append(told), decay_steps=30
    )
    assert losses[-1] < 0.7 * losses[0]
    assert seen == list(enumerate(losses, 1))


def test_training_stops_at_a_loss_that_is_no_number() -> None:
    model = mlp()
    with pytest.raises(FloatingPointError, match="at step 1"):
        meta.train(model, lambda tasks: model[0].weight.sum() * float("nan"), [batch()], 0.1)


def test_stacked_weights_are_those_of_the_model() -> None:
    model = mlp()
    x = torch.randn(2, 4, 2, generator=generator(), dtype=torch.float64)
    assert torch.allclose(batched.forward(model, batched.stack_weights(model, 2), x), model(x))
