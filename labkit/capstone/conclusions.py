"""What a measured curve says: how sure, where it errs, and advice with the numbers behind it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from labkit import sweeps
from labkit.advice import BY_CHANGE, Situation, first_try
from labkit.calibration import Reliability, answers, fit_temperature, reliability
from labkit.capstone.collection import Collection
from labkit.capstone.measure import ALL, Curve
from labkit.looks import LOOKS
from labkit.statistics import Interval

TESTS = {"id": "your test images", "ood": "the second folder"}


def curves_of(curve: Curve, score: str = "id") -> dict[str, pd.DataFrame]:
    """Method -> mean, low and high of the accuracy by labels for each class: for `draw_curves`."""
    found = {}
    for method in (m for m in BY_CHANGE if m in set(curve.table["method"])):
        own = curve.table[curve.table["method"] == method]
        labels = own.groupby("shots", sort=False)["labels"].mean().round()
        found[method] = sweeps.intervals(own, score, ["shots"]).clip(0, 1).set_axis(labels)
    return found


def situations_of(curve: Curve) -> list[Situation]:
    """All methods with all labels, in and (where it was measured) out of distribution."""
    methods = [m for m in BY_CHANGE if m in set(curve.table["method"])]
    return [
        Situation(name, {m: sweeps.scores(curve.table, s, method=m, shots=ALL) for m in methods})
        for s, name in TESTS.items()
        if s in curve.table
    ]


class Calibration(NamedTuple):
    """A method's answers on all test parts, as they are and after temperature scaling."""

    plain: Reliability
    scaled: Reliability
    temperature: float  # the median of those fitted to the validation parts


def calibration_of(curve: Curve, method: str, bins: int = 8) -> Calibration:
    """How sure `method` is and how often right; the temperatures are fitted on validation."""
    own = [a for a in curve.answers if a.method == method]
    fitted = [fit_temperature(a.validation, a.validation_labels) for a in own]
    labels, found = torch.cat([a.labels for a in own]), []
    for temperatures in ([1.0] * len(own), fitted):
        logits = [a.test.double() / t for a, t in zip(own, temperatures, strict=True)]
        found.append(reliability(answers(torch.cat(logits), labels), bins))
    return Calibration(*found, float(np.median(fitted)))


def mistakes_of(curve: Curve, method: str, collection: Collection) -> pd.DataFrame:
    """Test images that were taken for another class, the surest first, each once.

    Columns row (in the collection), name, label, answer, confidence. A sure mistake may be a wrong
    label.
    """
    own = [a for a in curve.answers if a.method == method]
    given = torch.cat([a.test for a in own]).double().numpy()
    rows, classes = np.concatenate([a.rows for a in own]), np.array(collection.classes)
    table = pd.DataFrame({
        "row": rows, "name": np.array(collection.names)[rows],
        "label": classes[collection.labels.numpy()[rows]], "answer": classes[given.argmax(axis=1)],
        "confidence": softmax(given, axis=1).max(axis=1),
    })  # fmt: skip
    wrong = table[table["label"] != table["answer"]].sort_values("confidence", ascending=False)
    return wrong.drop_duplicates("row", ignore_index=True)


def advised(curve: Curve) -> str:
    """The method to try first (`labkit.advice`): in the second folder, where there is one, since
    that is what will come."""
    return first_try(situations_of(curve)[-1].scores)


def advice_of(curve: Curve) -> str:
    """One paragraph: what to try first, and the numbers behind it."""
    situations, first = situations_of(curve), advised(curve)
    name, asked = LOOKS[first].name, situations[-1]
    text = f"Try this first: {name}. With all labels it is right in "
    text += " and ".join(f"{share(s.scores[first].interval)} of {s.name}" for s in situations)
    others = {m: x for m, x in asked.scores.items() if m != first}
    if others:
        best = max(others, key=lambda method: others[method].mean)
        gap = points((others[best] - asked.scores[first]).interval)
        text += f". The best of the others there, {LOOKS[best].name}, differs by {gap} points"
    return f"{text}. {more_labels(curve)} {how_sure(curve, first)}"


def more_labels(curve: Curve) -> str:
    """Whether the probe still gains, from the last number of labels but one to all."""
    count = curve.table.groupby("shots", sort=False)["labels"].mean()
    if len(count) < 2:
        return "One number of labels cannot say whether more would help."
    fewer = count.index[-2]
    gain = sweeps.lead(curve.table, "id", {"shots": ALL}, {"shots": fewer}, method="probe")
    return (
        f"From {count[fewer]:.0f} to {count[ALL]:.0f} labels a class the probe changed by "
        f"{points(gain.interval)} points: "
        + ("more labels help." if gain.low > 0 else "whether more labels help is not to be seen.")
    )


def how_sure(curve: Curve, method: str) -> str:
    plain, scaled, temperature = calibration_of(curve, method)
    sure, right = (plain.mean(x) for x in (plain.confidence, plain.accuracy))
    return (
        f"It says {sure:.0%} where {right:.0%} are right; with its logits divided by "
        f"{temperature:.2g} it says {scaled.mean(scaled.confidence):.0%}."
    )


def share(interval: Interval) -> str:
    """A share with its interval, which Student's t may take beyond 0 or 1."""
    return "{:.0%} ({:.0%} to {:.0%})".format(*np.clip(interval, 0, 1))


def points(interval: Interval) -> str:
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in interval))
