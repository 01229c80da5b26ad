"""Notebook 02's sinusoids, landscape and their panels against closed forms and plain loops."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from oracles import descend
from panels import check_every_control
from torch import Tensor, nn

from labkit import explorers, meta, plots
from labkit.meta import landscape, sinusoids


def sample(*size: int, seed: int = 0, sines=sinusoids.TRAINED) -> meta.TaskBatch:
    return sinusoids.sample(*size, torch.Generator().manual_seed(seed), sines)


def test_a_task_is_one_sinusoid_with_noise_on_the_support_only() -> None:
    tasks = sample(3, 200, 50, sines=sinusoids.Sines((2.0, 2.0), (0.5, 0.5), noise=0.3))
    assert torch.allclose(tasks.query_y, 2 * (tasks.query_x - 0.5).sin())
    rest = tasks.support_y - 2 * (tasks.support_x - 0.5).sin()
    assert rest.std() == pytest.approx(0.3, abs=0.03)
    assert tasks.support_x.min() >= -5 and tasks.support_x.max() <= 5


@pytest.mark.parametrize("method", sinusoids.THETAS)
def test_every_method_trains_from_the_same_start_and_repeats(method: str) -> None:
    one, two = (sinusoids.meta_train(method, steps=3, seed=1) for _ in range(2))
    models = (one, two, sinusoids.network(seed=1))
    for a, b, start in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(a, b) and torch.equal(a, start) == (method == "random")


def test_maml_learns_to_adapt() -> None:
    """In a few seconds: one step helps MAML's theta more than a random one."""
    tasks, trained = sample(50, 10, 30, seed=7), sinusoids.meta_train("maml", steps=150)
    errors = sinusoids.errors_after(trained, tasks, 1).mean(dim=1)
    random = sinusoids.errors_after(sinusoids.network(0), tasks, 1).mean(dim=1)
    assert errors[1] < 0.8 * errors[0] and errors[1] < 0.8 * random[1]


def test_errors_after_are_those_of_plain_gradient_descent_and_infinite_when_it_diverges() -> None:
    model, tasks = sinusoids.network(0), sample(2, 10, 10)
    errors = sinusoids.errors_after(model, tasks, 2)
    for task, (sx, sy, qx, qy) in enumerate(zip(*tasks, strict=True)):
        for steps in range(3):
            adapted = descend(sinusoids.network(0), sx, sy, sinusoids.INNER_LR, steps)
            query = F.mse_loss(adapted(qx), qy)
            assert errors[steps, task] == pytest.approx(query.item(), rel=1e-4)
    assert sinusoids.errors_after(model, tasks, 30, lr=1e9)[-1].isinf().all()


def as_torch(theta: Sequence[float], steps: int, lr: float) -> tuple[Tensor, Tensor]:
    """The objective by maml_loss on a linear network: half the summed squared errors."""
    x, y = (torch.from_numpy(landscape.POINTS[:, axis, :, None]) for axis in (0, 1))
    model = nn.Linear(1, 1).double()
    with torch.no_grad():
        model.bias.fill_(theta[0])
        model.weight.fill_(theta[1])

    def half_error(prediction: Tensor, target: Tensor) -> Tensor:
        return 0.5 * F.mse_loss(prediction, target)

    loss = 3 * meta.maml_loss(model, x, y, x, y, lr, steps, half_error)
    gradients = torch.autograd.grad(loss, (model.bias, model.weight))
    return loss, torch.cat([g.flatten() for g in gradients])


@cases(20)
@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 8), st.floats(0.05, 0.5))
def test_the_landscape_is_maml_on_a_linear_network(a, b, steps, lr) -> None:
    value = landscape.values(np.array([a, b]), steps, lr).sum()
    assert as_torch((a, b), steps, lr)[0].item() == pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_theta_hat_is_where_the_gradient_vanishes_and_nothing_is_lower(steps: int) -> None:
    loss, gradient = as_torch(landscape.minimiser(steps, 0.3), steps, 0.3)
    assert gradient.abs().max() < 1e-10
    shown = landscape.landscape(np.array([-2.0, 1.0]), steps, 0.3)
    assert shown.best_value == pytest.approx(loss.item())
    assert shown.objective.min() >= shown.best_value - 1e-12
    assert shown.paths.shape == (3, steps + 1, 2) and np.allclose(shown.paths[:, 0], (-2, 1))


def test_more_steps_move_theta_hat_towards_the_slow_tasks() -> None:
    """The story of the panel: the steep (blue) task is left to A."""
    slow, steep = landscape.HESSIANS[:, 1, 1].argsort()[[0, -1]]
    assert (slow, steep) == (0, 1)
    hats = [landscape.minimiser(k, 0.3) for k in (0, 1, 3, 10, 20)]
    to_steep, to_slow = (
        [np.linalg.norm(hat - landscape.OPTIMA[task]) for hat in hats] for task in (steep, slow)
    )
    assert to_steep == sorted(to_steep) and to_slow == sorted(to_slow, reverse=True)
    assert to_steep[0] < to_slow[0] and to_steep[-1] > to_slow[-1]


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {method: sinusoids.meta_train(method, steps=5) for method in sinusoids.THETAS}


def test_the_sinusoid_panel_follows_every_control(networks) -> None:
    panel = explorers.sinusoid_panel(networks)
    check_every_control(panel)
    panel.controls["amplitude"].value = 8.0
    assert "outside the trained range" in panel.alt


def test_the_sinusoid_panel_shows_gradient_descent_on_what_it_draws(networks) -> None:
    result = explorers.compute_sinusoids(networks, 3.0, 1.0, 10, 2, sinusoids.INNER_LR)
    support = (torch.from_numpy(part)[:, None] for part in result.support)
    adapted = descend(sinusoids.meta_train("joint", steps=5), *support, sinusoids.INNER_LR, 2)
    expected = adapted(torch.from_numpy(result.x)[:, None])[:, 0].detach().numpy()
    assert np.allclose(result.functions["joint"], expected, atol=1e-4)


def test_the_order_chooses_whose_theta_is_shown(networks) -> None:
    second, first = (
        explorers.compute_sinusoids(networks, 3.0, 1.0, 10, 0, 0.02, order)
        for order in ("second", "first")
    )
    shown = networks["fomaml"](torch.from_numpy(first.x)[:, None])[:, 0].detach().numpy()
    assert np.allclose(first.functions["maml"], shown, atol=1e-5)
    assert not np.allclose(second.functions["maml"], shown, atol=1e-5)


def test_the_winner_is_in_the_title(networks) -> None:
    result = explorers.compute_sinusoids(networks, 3.0, 1.0, 10, 0, 0.02)
    errors = {"maml": np.array([1.0, 0.5]), "random": np.array([1.0, 0.1])}
    result = result._replace(errors=errors)
    fig, axes = plots.figure(1, 2)
    plots.draw_sinusoids(axes, result)
    assert axes[1].get_title("left") == "In the trained range: random wins"


def test_the_landscape_panel_follows_every_control() -> None:
    panel = explorers.objective_landscape()
    check_every_control(panel)
    panel.controls["steps"].value = 20
    assert "20 steps" in panel.alt


def test_a_click_on_the_plane_moves_theta(pixel_of) -> None:
    panel = explorers.objective_landscape()
    panel.picture.clicked = [1, *pixel_of(panel, 0, 1.52, -0.71)]
    assert (panel.values["intercept"], panel.values["slope"]) == (1.5, -0.7)
    assert panel.result.theta == pytest.approx([1.5, -0.7])
    panel.picture.clicked = [2, *pixel_of(panel, 1, 0.0, 0.0)]
    assert panel.result.theta == pytest.approx([1.5, -0.7]), "the functions are not the plane"


@pytest.mark.parametrize(("end", "outcome"), [(3.0, "leads"), (900.0, "leads, then breaks")])
def test_errors_over_steps_say_who_leads_and_whether_it_breaks(end, outcome) -> None:
    rows = {("maml", 0): [5, 1, end], ("maml", 1): [5, 1, end], ("random", 0): [5, 4, 4]}
    names = pd.MultiIndex.from_tuples(rows, names=["method", "seed"])
    errors = pd.DataFrame(list(rows.values()), names, ["k0", "k1", "k2"]).assign(overlap=0)
    _, ax = plots.figure()
    told = plots.draw_errors(ax, errors, "outside", zero=20.0)
    assert ax.get_title(loc="left") == f"Outside: MAML {outcome}"
    assert told.startswith("Outside: MAML")
    assert f"{int(end > 20)} of 2 are worse" in told
