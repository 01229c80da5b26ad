"""The theory panel: every control at its ends and middle, the text follows, the story is true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from panels import settings

from labkit import explorers, plots
from labkit.ui.panel import Panel

START = {"feature_error": 0.0, "head_scale": 0.3, "subspace_dim": 20, "samples": 40, "seed": 0}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return explorers.theory()


def shown_errors(alt: str) -> dict[str, float]:
    said = re.search("out of distribution at (.*); in distribution", alt).group(1)
    return {name: float(value) for name, value in re.findall(r"([a-zA-Z -]+?) (\d\.\d\d)", said)}


def test_every_control_gives_a_picture_and_the_text_follows(panel: Panel) -> None:
    for name, slider in panel.controls.items():
        seen = set()
        for value in settings(slider):
            slider.value = value
            assert panel.error is None and panel.png()
            run = panel.result.run
            ends = [getattr(run, m).ood_loss[-1] ** 0.5 for m in ("ft", "lp", "lp_ft")]
            assert list(shown_errors(panel.alt).values()) == pytest.approx(ends, abs=0.0051)
            assert f"feature error {run.problem.feature_error:.2f}" in panel.alt
            seen.add(panel.alt)
        assert len(seen) == 3, name
        panel.reset()


def test_the_corners_give_pictures_too(panel: Panel) -> None:
    for end in ("min", "max"):
        for slider in panel.controls.values():
            slider.value = getattr(slider, end)
        assert panel.error is None and np.isfinite(panel.result.finals).all()
    panel.controls["samples"].value = panel.controls["samples"].min  # fewer samples than dimensions
    assert panel.error is None
    panel.reset()


def test_a_remembered_curve_is_that_of_the_settings_shown(panel: Panel) -> None:
    """Only the feature error may leave the sweep as it is."""
    for name, value in (("feature_error", 0.6), ("seed", 3), ("head_scale", 0.7), ("seed", 3)):
        panel.controls[name].value = value
        fresh = explorers.compute_theory(**panel.values)
        np.testing.assert_array_equal(panel.result.finals, fresh.finals)
        np.testing.assert_array_equal(panel.result.run.ft.ood_loss, fresh.run.ft.ood_loss)
    panel.reset()


def test_the_instance_lies_on_its_own_curves() -> None:
    for i, error in enumerate(explorers.FEATURE_ERRORS):
        result = explorers.compute_theory(**START | {"feature_error": error})
        ends = [getattr(result.run, m).ood_loss[-1] for m in ("ft", "lp", "lp_ft")]
        np.testing.assert_allclose(result.finals[:, i], ends, rtol=1e-6, atol=1e-12)


def test_good_features_favour_lp_ft_and_poor_ones_fine_tuning() -> None:
    """What the panel is for, at its first settings, over all its seeds."""
    where = []
    for seed in range(20):
        finals = explorers.compute_theory(**START | {"seed": seed}).finals
        assert finals[1:, 0].max() < 1e-9 < 0.05 < finals[0, 0], "perfect features"
        where.append(explorers.crossover(finals))
    crossed = [error for error in where if error is not None]
    assert len(crossed) >= 16 and 0.3 < np.median(crossed) < 1


def test_the_crossover_is_interpolated() -> None:
    errors, ones = explorers.FEATURE_ERRORS, np.ones(len(explorers.FEATURE_ERRORS))
    lp_ft = np.where(errors < 0.5, 0.5, 1.5)  # from -.5 to +.5 of fine-tuning: half way between
    assert explorers.crossover(np.stack([ones, ones, lp_ft])) == pytest.approx(0.5)
    assert explorers.crossover(np.stack([ones + 1, ones, ones])) is None
    assert explorers.crossover(np.stack([ones - 1, ones, ones])) == 0


@pytest.mark.parametrize(
    ("changes", "titles", "said"),
    [
        ({}, ("Only fine-tuning errs OOD: 0.43", "FT beats LP-FT from ε = 0.58"), "beyond a"),
        ({"feature_error": 1.0}, ("Best OOD: fine-tuning", "FT beats LP-FT"), "beyond a"),
        ({"feature_error": 0.8, "head_scale": 1, "subspace_dim": 10, "samples": 10, "seed": 2},
         ("Best OOD: ", "Neither wins at every ε"), "at some, not at the largest"),
    ],
    ids=("good features", "poor features", "rough"),
)  # fmt: skip
def test_the_picture_says_what_the_losses_are(changes: dict, titles, said: str) -> None:
    result = explorers.compute_theory(**START | changes)
    fig, axes = plots.figure(1, 2)
    explorers.draw_theory(axes, result)
    plots.Picture(fig, "a test")  # a warning is an error
    for ax, title in zip(axes, titles, strict=True):
        assert ax.get_title("left").startswith(title)
    assert f"beats LP-FT {said}" in explorers.describe_theory(result)
    (left,), (right,) = (ax.collections for ax in axes)
    heights = [path.vertices[-1, 1] for path in left.get_paths()]
    expected = [
        getattr(getattr(result.run, method), loss)[-1] ** 0.5
        for method in ("ft", "lp", "lp_ft")
        for loss in ("id_loss", "ood_loss")
    ]
    bound = (
        [result.run.bound**0.5] if result.run.bound else []
    )  # where there is none, none is drawn
    np.testing.assert_allclose(heights, [*expected, *bound], atol=1e-9)
    assert bool(bound) == (changes == {})
    names = {text.get_text() for text in axes[0].texts}
    assert {"fine-tuning", "linear probe", "LP-FT"} <= names
    assert len(right.get_paths()) == 5 and axes[1].get_xlabel() == "feature error ε"
