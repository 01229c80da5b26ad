"""The checks of notebook 06's recipes: right answers pass, the usual mistakes are recognised."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from labkit import checks, results, transfer
from labkit.lp_ft.checks import TinyEncoder, tiny_task, two_that_err_oppositely

SCHEDULE = transfer.Schedule(steps=10, record_every=0)


def right_lp_ft(encoder, task, lr, generator):
    probe = transfer.linear_probe(encoder, task)
    return transfer.fit(copy.deepcopy(probe.model), task, lr, generator, SCHEDULE)


def in_place(encoder, task, lr, generator):
    probe = transfer.linear_probe(encoder, task)
    return transfer.fit(transfer.Classifier(encoder, probe.model.head), task, lr, generator)


def keeps_head(encoder, task, lr, generator):
    fit = right_lp_ft(encoder, task, lr, generator)
    fit.model.head.load_state_dict(transfer.linear_probe(encoder, task).model.head.state_dict())
    return fit


MISTAKES = {
    "returns nothing": lambda *_: None,
    "a Classifier, expected the Fit": lambda e, t, *_: transfer.linear_probe(e, t).model,
    "A random head": lambda e, t, lr, g: transfer.fine_tune(e, t, lr, g, SCHEDULE),
    "that is the probe": lambda e, t, *_: transfer.linear_probe(e, t),
    "changed the encoder": in_place,
    "encoder but not the head": lambda e, t, lr, g: keeps_head(e, t, lr, g),
    "raised KeyError": lambda *_: {}["x"],
}


def test_lp_ft_passes_when_it_is_probe_then_fit() -> None:
    assert checks.lp_ft(right_lp_ft)
    assert checks.lp_ft(lambda e, t, lr, g: transfer.lp_ft(e, t, lr, g, SCHEDULE))


@pytest.mark.parametrize("hint", MISTAKES)
def test_lp_ft_recognises(hint) -> None:
    outcome = checks.lp_ft(MISTAKES[hint])
    assert not outcome and hint in outcome.message


def row(method: str, setting: str, picked: bool, moved: float, seed: int) -> dict[str, str]:
    return {
        "shift": "s", "method": method, "setting": setting, "picked": str(picked),
        "seed": str(seed), "moved_id": str(moved),
    }  # fmt: skip


ROWS = [
    row(*cell, seed)
    for seed in (0, 1)
    for cell in (
        ("fine-tuning", "0.01", True, 3.0),
        ("fine-tuning", "0.1", False, 9.0),
        ("lp-ft", "0.001", True, 1.0),
        ("lp-ft", "0.003", False, 3.5),
        ("lp-ft", "0.01", False, 7.0),
    )
]


def right_rate(rows, shift):
    target = results.scores(rows, shift, "fine-tuning", "moved_id").mean()
    moved = results.against_rate(rows, shift, "lp-ft", "moved_id")
    return min(rate for rate, interval in moved.items() if interval.mean >= target)


def right_rate_or_none(rows, shift):
    try:
        return right_rate(rows, shift)
    except ValueError:  # min of nothing
        return float("inf")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(None, "returns nothing"), (0.01, "a smaller one"), (0.001, "0.003: 3.50")],
)
def test_the_rate_that_moves_as_far_as_ft(answer, hint) -> None:
    assert checks.rate_that_moves(right_rate, ROWS, "s")
    outcome = checks.rate_that_moves(lambda *_: answer, ROWS, "s")
    assert not outcome and hint in outcome.message


def test_a_rate_that_is_never_reached_is_infinite() -> None:
    short = [cell for cell in ROWS if float(cell["moved_id"]) < 3.4]
    assert checks.rate_that_moves(lambda *_: float("inf"), short, "s")
    assert "float('inf')" in checks.rate_that_moves(lambda *_: 0.001, short, "s").message


def test_a_rate_that_is_right_for_one_shift_does_not_pass() -> None:
    short = [{**cell, "shift": "t"} for cell in ROWS if float(cell["moved_id"]) < 3.4]
    assert checks.rate_that_moves(right_rate_or_none, ROWS + short, "s")
    assert not checks.rate_that_moves(lambda *_: 0.003, ROWS + short, "s")


def right_wise_ft(probe, tuned, task):
    fits = [transfer.wise_ft(probe, tuned, task, alpha) for alpha in np.linspace(0, 1, 11)]
    return max(fits, key=lambda fit: fit.validation)


def test_wise_ft_passes_when_chosen_on_validation() -> None:
    assert checks.wise_ft(right_wise_ft)


def test_wise_ft_notices_a_look_at_ood_images_and_a_missing_choice() -> None:
    def peeks(probe, tuned, task):
        return max(task.ood.items())

    def worst(probe, tuned, task):
        fits = [transfer.wise_ft(probe, tuned, task, alpha) for alpha in np.linspace(0, 1, 11)]
        return min(fits, key=lambda fit: fit.validation)

    assert "OOD test was looked at" in checks.wise_ft(peeks).message
    assert "OOD test was looked at" in checks.wise_ft(lambda p, t, task: task.ood["shift"]).message
    assert "Try eleven alphas" in checks.wise_ft(worst).message
    assert "Did you return the probe?" in checks.wise_ft(lambda probe, *_: probe).message
    assert "Did you return the fine-tuned" in checks.wise_ft(lambda p, tuned, task: tuned).message
    for alpha in (0.3, 0.5, 0.7):
        fixed = checks.wise_ft(lambda *given, alpha=alpha: transfer.wise_ft(*given, alpha))
        assert not fixed, "alpha must be chosen"
    assert "expected a Fit" in checks.wise_ft(lambda *_: 0.5).message


@pytest.mark.parametrize("alpha", [0.3, 0.7])
def test_averaging_is_needed_by_a_margin_that_no_rounding_closes(alpha: float) -> None:
    """On one kind of processor the stub, which returns `tuned`, had passed."""
    task = tiny_task()
    given = two_that_err_oppositely(task, alpha)
    ends = [fit.validation for fit in given]
    best = right_wise_ft(*given, task).validation
    assert best >= max(*ends, transfer.wise_ft(*given, task, 0.5).validation) + 0.06
    assert ends == [transfer.wise_ft(*given, task, end).validation for end in (0, 1)]


def test_the_toy_can_be_learned() -> None:
    assert transfer.linear_probe(TinyEncoder(), tiny_task()).validation > 0.6
