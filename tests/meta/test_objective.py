"""The meta-objective: independent values, plain loops, closed forms, and what must always hold."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from oracles import descend, oracle, plain_maml
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from labkit import meta
from labkit.meta import batched, fewshot

few = cases(20)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mlp(seed: int = 0) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(draw(*p.shape, seed=4 * seed + i))
    return model


def batch(tasks: int = 3, n: int = 4, m: int = 5, seed: int = 0) -> meta.TaskBatch:
    shapes = ((tasks, n, 2), (tasks, n, 3), (tasks, m, 2), (tasks, m, 3))
    return meta.TaskBatch(*(draw(*shape, seed=9 * seed + i) for i, shape in enumerate(shapes)))


def gradients(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True))


def assert_close(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10)


# What other libraries compute


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("order", ["first", "second"])
def test_maml_equals_learn2learn_and_higher(order: str, part: int) -> None:
    """Float64 values of learn2learn 0.2.0, equal to higher's: tanh MLP 1-8-8-1, five steps."""
    case = oracle("meta", part, f"maml_{order}_order")
    layers = (nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    model = nn.Sequential(*layers).double()
    with torch.no_grad():
        for i, layer in enumerate(layers[::2]):
            layer.weight.copy_(case[f"in/weight{i}"])
            layer.bias.copy_(case[f"in/bias{i}"])
    data = [case[f"in/{name}"] for name in meta.TaskBatch._fields]
    lr, steps = case["in/inner_lr"].item(), int(case["in/inner_steps"])
    loss = meta.maml_loss(model, *data, lr, steps, F.mse_loss, first_order=order == "first")
    assert abs(loss - case["out/loss"]) < 1e-10
    for i, gradient in enumerate(gradients(loss, model)):
        assert (gradient - case[f"out/grad{i}"]).abs().max() < 1e-10


@pytest.mark.parametrize("part", [0, 1])
def test_prototypes_equal_learn2learn(part: int) -> None:
    case = oracle("meta", part, "prototypical")
    support, query = (case[f"in/{name}"].requires_grad_() for name in ("support", "query"))
    logits = meta.prototypical_logits(support, case["in/support_labels"], query)
    loss = F.cross_entropy(logits, case["in/query_labels"])
    assert (logits - case["out/logits"]).abs().max() < 1e-10
    assert abs(loss - case["out/loss"]) < 1e-10
    found = torch.autograd.grad(loss, (support, query))
    for name, gradient in zip(("support", "query"), found, strict=True):
        assert (gradient - case[f"out/d_{name}"]).abs().max() < 1e-10


# MAML against a plain loop, and networks with weights for every task against calls task by task


class Residual(nn.Module):
    """What a reader may write: parameters of its own, a known layer inside, a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(6, 6), nn.Parameter(torch.ones(6))

    def forward(self, x):
        return x + self.scale * self.linear(x).tanh()


class Recurrent(nn.Module):
    """`kind` (which `vmap` cannot batch) reads a row as a sequence of two and gives its end."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.reader = kind(3, 4, batch_first=True)

    def forward(self, x):
        return self.reader(x.unflatten(-1, (2, 3)))[0][:, -1]


class Twice(nn.Linear):
    """A subclass that computes something else must not be taken for its parent."""

    def forward(self, x):
        return 2 * super().forward(x)


def used_twice() -> nn.Sequential:
    linear = nn.Linear(6, 6)
    return nn.Sequential(linear, nn.Tanh(), linear)


def tied(last: nn.Module) -> nn.Sequential:
    """Two modules, one weight; `last` has a place for it in itself."""
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), last)
    model[0].weight = next(m for m in last.modules() if isinstance(m, nn.Linear)).weight
    return model


def hooked(module: nn.Module) -> nn.Sequential:
    module.register_forward_hook(lambda module, given, out: 3 * out)
    return nn.Sequential(module, nn.ReLU())


def frozen_norm() -> nn.Sequential:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    model(draw(5, 2, 6, 6).float())
    return model.eval()


def one_activation_twice() -> nn.Sequential:
    tanh = nn.Tanh()
    return nn.Sequential(nn.Linear(6, 5), tanh, nn.Linear(5, 4), tanh, nn.Linear(4, 3))


class Branching(nn.Module):
    """It looks at values, which `vmap` does not allow."""

    def forward(self, x):
        return x if x.mean() > 0 else -x


VECTOR, IMAGE = (6,), (2, 6, 6)
MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)), VECTOR),
    "linear on tokens": (lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.GELU()), (4, 6)),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 4)), nn.LayerNorm(4)), VECTOR),
    "one activation twice": (one_activation_twice, VECTOR),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.ReLU(),
            nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.Flatten(), nn.Linear(6, 3),
        ),
        IMAGE,
    ),
    "norm of every picture": (lambda: nn.Sequential(nn.InstanceNorm2d(2), nn.Flatten()), IMAGE),
    "flatten from the front": (lambda: nn.Sequential(nn.Linear(6, 2), nn.Flatten(-2)), (4, 6)),
    "unknown": (lambda: nn.Sequential(Residual(), nn.Linear(6, 2)), VECTOR),
    "branching": (lambda: nn.Sequential(nn.Linear(6, 2), Branching()), VECTOR),
    "LSTM": (lambda: Recurrent(nn.LSTM), VECTOR),
    "GRU": (lambda: nn.Sequential(Recurrent(nn.GRU), nn.Linear(4, 2)), VECTOR),
    "subclass": (lambda: nn.Sequential(Twice(6, 2), nn.Sigmoid()), VECTOR),
    "used twice": (used_twice, VECTOR),
    "used twice in an unknown": (lambda: hooked(used_twice()), VECTOR),
    "tied": (lambda: tied(nn.Linear(6, 6)), VECTOR),
    "tied to an unknown": (lambda: tied(Residual()), VECTOR),
    "hooked": (lambda: hooked(nn.Linear(6, 6)), VECTOR),
    "BatchNorm in evaluation mode": (frozen_norm, IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_every_network_equals_a_call_per_task_in_value_and_two_derivatives(name: str) -> None:
    make, shape = MODELS[name]
    model = make().double()
    before = dict(model.named_parameters(remove_duplicate=False))
    shapes = [(name, p.shape) for name, p in model.named_parameters()]
    weights = {n: draw(3, *s, seed=i).requires_grad_() for i, (n, s) in enumerate(shapes)}
    x = draw(3, 5, *shape).requires_grad_()

    def derivatives(out: Tensor) -> list[Tensor]:
        leaves = [x, *weights.values()]
        first = torch.autograd.grad(out.pow(3).sum(), leaves, create_graph=True)
        squared = sum(g.square().sum() for g in first)
        return [out, *first, *torch.autograd.grad(squared, leaves, materialize_grads=True)]

    by_task = [  # of copies, for this call itself leaves weights in a module that is used twice
        torch.func.functional_call(deepcopy(model), {n: w[t] for n, w in weights.items()}, (x[t],))
        for t in range(3)
    ]
    ours = batched.forward(model, weights, x)
    assert_close(derivatives(ours), derivatives(torch.stack(by_task)))
    after = dict(model.named_parameters(remove_duplicate=False))
    assert all(after[n] is p for n, p in before.items()), "the network is as it was"


LOSSES = {
    "mse": F.mse_loss,
    "a module": nn.MSELoss(),
    "a sum": lambda p, y: (p - y).square().sum(),
    "huber": F.huber_loss,
}


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_maml_equals_a_loop_over_tasks(loss: str, first_order: bool) -> None:
    model, tasks, fn = mlp(), batch(), LOSSES[loss]
    ours = meta.maml_loss(model, *tasks, 0.02, 3, fn, first_order)
    expected = plain_maml(model, tasks, 0.02, 3, fn, first_order)
    assert torch.allclose(ours, expected, rtol=1e-10)
    assert_close(gradients(ours, model), gradients(expected, model))


def test_classification_with_a_left_out_label_is_a_mean_within_each_task() -> None:
    labels = torch.tensor([[0, 1, 2, -100], [0, -100, -100, 1], [2, 1, 0, 0]])
    tasks = batch()._replace(support_y=labels, query_y=labels[:, [0, 0, 1, 2, 3]])
    arguments = (0.1, 2, F.cross_entropy)
    ours = meta.maml_loss(mlp(), *tasks, *arguments)
    assert torch.allclose(ours, plain_maml(mlp(), tasks, *arguments), rtol=1e-10)
    small = tasks._replace(support_y=tasks.support_y.int(), query_y=tasks.query_y.int())
    assert torch.equal(meta.maml_loss(mlp(), *small, *arguments), ours)


@pytest.mark.parametrize("make", [used_twice, lambda: Recurrent(nn.LSTM)], ids=["twice", "LSTM"])
def test_maml_trains_any_small_network_and_leaves_it_alone(make) -> None:
    model, x = make().double(), draw(2, 3, 4, 6)
    before = {n: (p, p.clone()) for n, p in model.named_parameters()}
    y = draw(2, 3, 4, model(x[0, 0]).shape[-1], seed=1)
    meta.maml_loss(model, x[0], y[0], x[1], y[1], 0.1, 2, F.mse_loss).backward()
    for name, p in model.named_parameters():
        assert p is before[name][0] and torch.equal(p, before[name][1]) and p.grad.abs().sum() > 0


@few
@given(tasks=st.integers(1, 4), n=st.integers(1, 4), m=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_order_of_tasks_does_not_matter_and_none_sees_another(tasks, n, m, seed) -> None:
    model, drawn = mlp(seed), batch(tasks, n, m, seed)

    def loss_of(part: slice) -> Tensor:
        return meta.maml_loss(model, *(x[part] for x in drawn), 0.05, 2, F.mse_loss)

    turned = meta.TaskBatch(*(x.flip(0) for x in drawn))
    loss = loss_of(slice(None))
    assert torch.allclose(loss, meta.maml_loss(model, *turned, 0.05, 2, F.mse_loss))
    alone = [loss_of(slice(i, i + 1)) for i in range(tasks)]
    assert torch.allclose(loss, torch.stack(alone).mean())


def test_with_no_steps_the_objective_is_pretraining_on_all_data() -> None:
    model, tasks = mlp(), batch()
    pooled = F.mse_loss(model(tasks.query_x.flatten(0, 1)), tasks.query_y.flatten(0, 1))
    assert torch.allclose(meta.maml_loss(model, *tasks, 0.1, 0, F.mse_loss), pooled)


def test_no_outer_gradient_is_needed_and_none_is_left() -> None:
    model, tasks = mlp(), batch()
    with torch.no_grad():
        loss = meta.maml_loss(model, *tasks, 0.1, 2, F.mse_loss)
    assert torch.allclose(loss, meta.maml_loss(model, *tasks, 0.1, 2, F.mse_loss))
    assert all(p.grad is None for p in model.parameters())


def test_frozen_parameters_stay() -> None:
    model, tasks = mlp(), batch()
    model[0].bias.requires_grad_(False)
    start, *_, end = meta.GradientDescent(model, 0.1, 2, F.mse_loss).path(*tasks[:2])
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved == {"0.weight", "2.weight", "2.bias"}


def test_dropout_draws_anew_for_every_task() -> None:
    out = batched.forward(nn.Sequential(nn.Dropout(0.5)), {}, torch.ones(2, 50, 4))
    assert not torch.equal(out[0], out[1])


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_statistics_that_would_mix_tasks_are_refused_by_name(norm: type) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), norm(3, track_running_stats=True))
    arguments = (model, batched.stack_weights(model, 2), torch.zeros(2, 1, 3, 4, 4))
    with pytest.raises(ValueError, match=f"layer '1' is a {norm.__name__} in training mode"):
        batched.forward(*arguments)
    model.eval()
    batched.forward(*arguments)


def bad(**changes) -> dict:
    arguments = {**batch()._asdict(), "model": mlp(), "inner_lr": 0.1, "inner_steps": 1}
    return {**arguments, "loss_fn": F.mse_loss, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_x": batch(2).query_x}, "first axes"),
        ({"support_y": batch(n=3).support_y}, "support_x .* and support_y"),
        ({"support_x": torch.zeros(0, 4, 2), "support_y": torch.zeros(0, 4, 3)}, "first axes"),
        ({"loss_fn": lambda p, y: (p - y).square()}, "loss_fn: returned shape"),
        ({"model": mlp().requires_grad_(False)}, "no parameter that can be adapted"),
        (
            {"support_y": torch.full((3, 4), 3), "loss_fn": F.cross_entropy},
            "support_y: got label 3, accepted: 0 to 2",
        ),
    ],
)
def test_bad_input_is_named(changes: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        meta.maml_loss(**bad(**changes))


def test_divergence_is_an_error_that_names_the_rate() -> None:
    with pytest.raises(FloatingPointError, match="lower inner_lr"):
        meta.maml_loss(**bad(inner_lr=1e38, inner_steps=20))


# Other algorithms A


def test_reptile_points_from_the_adapted_weights_back_to_theta() -> None:
    """Against torch's own SGD, task by task."""
    model, tasks = mlp(), batch()
    ends = [descend(mlp(), x, y, 0.1, 3) for x, y in zip(*tasks[:2], strict=True)]
    moved = [[p.detach() for p in copy.parameters()] for copy in ends]
    loss = meta.reptile_loss(model, *tasks[:2], 0.1, 3, F.mse_loss)
    means = [torch.stack(of_all).mean(dim=0) for of_all in zip(*moved, strict=True)]
    directions = [p - mean for p, mean in zip(model.parameters(), means, strict=True)]
    assert_close(gradients(loss, model), directions)


@few
@given(n=st.integers(1, 8), dim=st.integers(1, 8), strength=st.floats(1e-3, 1e3))
def test_ridge_equals_scikit_learn(n: int, dim: int, strength: float) -> None:
    x, y = draw(2, n, dim, seed=n), draw(2, n, 3, seed=dim)
    ours = meta.ridge(x, y, strength)
    for task in range(2):
        theirs = Ridge(strength, fit_intercept=False).fit(x[task].numpy(), y[task].numpy())
        assert np.allclose(ours[task], np.atleast_2d(theirs.coef_).T, atol=1e-8)


def few_shot() -> meta.TaskBatch:
    """Two tasks of three well separated classes."""
    labels = torch.arange(3).repeat_interleave(4).expand(2, 12)
    near, noise = 6 * draw(2, 3, 5, seed=5).repeat_interleave(4, dim=1), draw(2, 2, 12, 5, seed=6)
    return meta.TaskBatch(near + noise[0], labels, near + noise[1], labels)


HEADS = [meta.Prototypes, meta.RidgeHead, meta.LogisticHead]


@pytest.mark.parametrize("make", HEADS)
def test_heads_on_features_learn_easy_tasks(make) -> None:
    tasks = few_shot()
    logits = make(nn.Identity())(*tasks[:2])(tasks.query_x)
    assert logits.shape == (2, 12, 3)
    assert (fewshot.accuracies(make(nn.Identity()), tasks) > 0.9).all()


@pytest.mark.parametrize("make", HEADS)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (few_shot().support_y + 1, r"labels \[1, 2, 3\], accepted: 0 to N-1"),
        (2 * few_shot().support_y, r"labels \[0, 2, 4\], accepted: 0 to N-1"),
        (few_shot().support_y - 1, r"labels \[-1, 0, 1\], accepted: 0 to N-1"),
        (few_shot().support_y.double(), "float64"),
        (torch.stack([few_shot().support_y[0], torch.arange(12) % 2]), "every class"),
    ],
)
def test_labels_that_are_no_columns_are_refused_by_every_head(make, labels, message) -> None:
    """Some heads numbered columns by rank, one by value: accuracies of 2/3 or 0 for the right 1."""
    tasks = few_shot()._replace(support_y=labels, query_y=labels)
    for score in (fewshot.accuracies, lambda *a: meta.objective(*a, F.cross_entropy)):
        with pytest.raises(ValueError, match=f"support_y: .*{message}"):
            score(make(nn.Identity()), tasks)
    for shift, label in ((1, 3), (-1, -1)):  # -1 is what `data.labels_of` says of other concepts
        asked = few_shot()._replace(query_y=few_shot().query_y + shift)
        with pytest.raises(ValueError, match=f"query_y: got label {label}, accepted: 0 to 2"):
            fewshot.accuracies(make(nn.Identity()), asked)


@pytest.mark.parametrize("make", HEADS)
def test_a_head_s_answer_to_one_task_depends_on_no_other(make) -> None:
    tasks = few_shot()
    sizes = torch.tensor([1.0, 50.0])[:, None, None]  # one's features are much larger
    tasks = tasks._replace(support_x=tasks.support_x * sizes, query_x=tasks.query_x * sizes)
    both = make(nn.Identity())(*tasks[:2])(tasks.query_x)
    alone = make(nn.Identity())(*(x[:1] for x in tasks[:2]))(tasks.query_x[:1])
    assert torch.allclose(both[:1], alone, rtol=1e-4)


@pytest.mark.parametrize("make", HEADS[:2])
def test_theta_can_be_meta_trained_through_a_head(make) -> None:
    encoder = nn.Linear(5, 4).double()
    loss = meta.objective(make(encoder), few_shot(), F.cross_entropy)
    assert gradients(loss, encoder)[0].abs().sum() > 0


def test_prototypes_by_hand() -> None:
    support = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]])
    query = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    logits = meta.prototypical_logits(support, torch.tensor([7, 7, 9]), query)
    assert torch.equal(logits, torch.tensor([[0.0, -26.0], [-10.0, -4.0]]))


@pytest.mark.parametrize(
    ("labels", "query", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 1, 2), "support_labels .2, 3."),
        (torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 1, 3), "query .2, 1, 3."),
        (torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]]), torch.zeros(2, 1, 2), "of every class"),
    ],
)
def test_prototypes_name_what_does_not_fit(labels, query, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        meta.prototypical_logits(torch.zeros(2, 4, 2), labels, query)


# The outer loop


def test_training_lowers_the_objective_and_says_how_far_it_is() -> None:
    model, tasks, seen = mlp(), batch(), []

    def loss(drawn: meta.TaskBatch) -> Tensor:
        return meta.maml_loss(model, *drawn, 0.05, 1, F.mse_loss)

    losses = meta.train(model, loss, [tasks] * 30, 0.05, lambda *told: seen.append(told), 30)
    assert losses[-1] < 0.7 * losses[0]
    assert seen == list(enumerate(losses, 1))


def test_training_stops_at_a_loss_that_is_no_number() -> None:
    model = mlp()
    with pytest.raises(FloatingPointError, match="at step 1"):
        meta.train(model, lambda tasks: model[0].weight.sum() * float("nan"), [batch()], 0.1)
