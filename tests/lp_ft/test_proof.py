"""The proof's picture: its JavaScript trains as `labkit.theory` does, to rounding."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from labkit import explorers
from labkit.lp_ft import proof, theory
from labkit.lp_ft.theory import simulate

CASES = [  # seed, feature error, head scale, head's rate
    (0, 0.0, 0.3, 1.0), (1, 0.0, 1.5, 1.0), (2, 0.05, 0.3, 10.0), (3, 0.4, 0.8, 0.1),
    (4, 1.4, 0.0, 100.0), (9, 0.02, 1.0, 1.0),
]  # fmt: skip
PYTHON = {"fine-tuning": "ft", "probe": "lp", "lp-ft": "lp_ft"}


def javascript(expression: str, given: object) -> object:
    """What an expression of proof_model.js gives, in node; `given` is its argument."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH; tests/browser/test_scene_browser.py asks Chromium the same")
    model = (proof.HERE / "proof_model.js").read_text(encoding="utf-8")
    script = (
        f"{model}\nconst given = {json.dumps(given)};\nconsole.log(JSON.stringify({expression}))"
    )
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def setting(case: tuple) -> dict:
    _, error, scale, rate = case
    return {"error": error, "scale": scale, "headRate": rate, "steps": proof.STEPS}


@pytest.fixture(scope="module")
def trained() -> list:
    asked = [[proof.instance(case[0]), setting(case)] for case in CASES]
    return javascript("given.map(([one, setting]) => train(one, setting))", asked)


@pytest.mark.parametrize("i", range(len(CASES)), ids=map(str, CASES))
def test_javascript_trains_as_python_does(trained, i: int) -> None:
    seed, error, scale, rate = CASES[i]
    run = simulate(
        **proof.SIZES, feature_error=error, head_scale=scale, seed=seed, steps=proof.STEPS,
        head_rate=rate,
    )  # fmt: skip
    found = trained[i]
    assert found["at"] == run.ft.step.tolist()
    for name, short in PYTHON.items():
        records, expected = found["runs"][name], getattr(run, short)
        rows = slice(-1, None) if name == "probe" else slice(None)
        for part, values in {
            "v": expected.v, "id": expected.id_loss**0.5, "ood": expected.ood_loss**0.5,
            "moved": expected.moved_inside,
        }.items():  # fmt: skip
            got = np.array([record[part] for record in records])
            np.testing.assert_allclose(got, values[rows], rtol=1e-6, atol=1e-7)
        axes = theory.span_of(run.problem.X).axes
        got = np.array([record["D"] for record in records])
        np.testing.assert_allclose(got, (expected.B @ axes.T)[rows], atol=1e-9)
    assert found["bound"] == pytest.approx(run.bound**0.5, abs=1e-9)


def test_the_curve_over_feature_errors_holds_the_ends_of_single_runs() -> None:
    given = [proof.instance(5), setting((5, 0.7, 0.3, 2.0))]
    code = "[overErrors(...given, 1.4), train(...given).runs]"
    sweep, runs = javascript(code, given)
    (found,) = (ends for ends in sweep if ends["error"] == pytest.approx(0.7))
    for name in PYTHON:
        assert found[name] == pytest.approx(runs[name][-1]["ood"], abs=1e-9)


def test_twins_have_one_pretrained_feature_and_the_true_answers() -> None:
    """Input space, written out: one input within the training span, one orthogonal to it."""
    angle, e = 0.8, np.array([np.cos(0.8), np.sin(0.8)])
    given = [proof.instance(6), setting((6, 0.5, 0.3, 1.0)), angle]
    pair, end = javascript(
        "(() => { const { problem, runs } = train(given[0], given[1]);"
        "const pair = twins(problem, given[2]); const { D } = runs['fine-tuning'].at(-1);"
        "return [{ ...pair, moved: pair.id(D) }, D]; })()",
        given,
    )
    run = simulate(**proof.SIZES, feature_error=0.5, head_scale=0.3, seed=6, steps=proof.STEPS)
    p, axes = run.problem, theory.span_of(run.problem.X).axes
    inside = np.linalg.pinv(p.B0 @ axes.T @ axes) @ e
    outside = np.linalg.pinv(p.B0 - p.B0 @ axes.T @ axes) @ e
    for x in (inside, outside):
        np.testing.assert_allclose(p.B0 @ x, e, atol=1e-9)
    np.testing.assert_allclose(run.ft.B[-1] @ outside, e, atol=1e-9)  # frozen
    np.testing.assert_allclose(pair["moved"], run.ft.B[-1] @ inside, atol=1e-8)
    assert pair["idTruth"] == pytest.approx(p.w_star @ inside, abs=1e-8)
    assert pair["oodTruth"] == pytest.approx(p.w_star @ outside, abs=1e-8)


def test_a_faster_head_moves_features_less_and_a_slower_one_more() -> None:
    rates = (0.1, 1, 10, 100)
    runs = [simulate(**proof.SIZES, steps=20_000, head_rate=rate).ft for rate in rates]
    moved = [run.moved_inside[-1] for run in runs]
    assert (np.diff(moved) < 0).all() and moved[-1] < 0.2 * moved[1]


def test_the_words_are_those_of_the_first_picture() -> None:
    opened = explorers.theory()
    run = simulate(**proof.SIZES, steps=proof.STEPS)
    said = [float(x) for x in re.findall(r"\d\.\d\d", opened.said)]
    ends = [run.ft.ood_loss[-1] ** 0.5, run.bound**0.5, 0, 0, run.ft.moved_inside[-1], 0]
    np.testing.assert_allclose(said, ends, atol=0.0051)
    bundle, metadata = opened._repr_mimebundle_()
    assert metadata == {"alive": True} and bundle["text/plain"] == opened.said
    assert len(bundle["text/html"]) < 200_000 and "https:" not in bundle["text/html"]
