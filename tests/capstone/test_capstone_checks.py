"""Notebook 07's exercise checks."""

import numpy as np
from exercises import exercise_tests

from labkit import checks
from labkit.advice import first_try
from labkit.looks import LOOKS
from labkit.statistics import mean_interval


def rms(difference):
    return difference.square().mean().sqrt()


def pairs_of(images, threshold, mirror=True, both=False, every=False, apart=rms, grey=False):
    x = images.float().mean(dim=1, keepdim=True) / 255 if grey else images.float() / 255
    sides = (x, x.flip(3)) if mirror else (x,)
    return [
        (a, b)
        for a in range(len(x))
        for b in range(0 if both else a + 1, len(x))
        if every or min(apart(z[a] - x[b]) for z in sides) <= threshold
    ]


def by_numpy(images, threshold):
    """All at once, which makes a copy its own mirror too."""
    x = images.numpy() / 255.0
    sides = [np.sqrt(((z[:, None] - x) ** 2).mean(axis=(2, 3, 4))) for z in (x, x[..., ::-1])]
    return np.argwhere(np.triu(np.minimum(*sides) <= threshold, k=1))


def exact(images, threshold):
    n = range(len(images))
    return {(a, b) for a in n for b in n if a < b and (images[a] == images[b]).all()}


def advise(scores):
    first = first_try(scores)
    mean, low, high = (f"{x:.0%}" for x in scores[first].interval)
    return f"Try {LOOKS[first].name}: {mean} are right ({low} to {high})."


def once_percent(scores):
    first = first_try(scores)
    mean, low, high = (round(100 * x) for x in scores[first].interval)
    return f"{LOOKS[first].name}: {mean} %, and for other splits {low} to {high} %."


def said(form):
    """Advice in this form, of a name and its numbers in percent."""

    def advise(scores):
        first = first_try(scores)
        numbers = (round(100 * x) for x in scores[first].interval)
        name, numbers = LOOKS[first].name, dict(zip(("mean", "low", "high"), numbers, strict=True))
        return form.format(name=name, **numbers)

    return advise


def all_of_them(scores):
    parts = (f"{LOOKS[m].name} " + "{:.0%} ({:.0%} to {:.0%})" for m in scores)
    return ", ".join(p.format(*scores[m].interval) for p, m in zip(parts, scores, strict=True))


def compared(scores):
    others = {m: x for m, x in scores.items() if m != first_try(scores)}
    return (
        f"{advise(scores).replace('Try l', 'L')} Nothing is clearly ahead: {all_of_them(others)}."
    )


def best_mean(scores):
    return f"Try {LOOKS[max(scores, key=lambda m: scores[m].mean)].name}."


def gaussian(scores, overlap):
    error = scores.std(ddof=1) * (1 / len(scores) + overlap / (1 - overlap)) ** 0.5
    return scores.mean(), scores.mean() - 1.96 * error, scores.mean() + 1.96 * error


def spread(scores, overlap):
    mean, one = scores.mean(), scores.std(ddof=1)
    return mean, mean - one, mean + one


FORMS = (
    "{name}: {mean} % ({low}..{high} %)",
    "{name}: {mean}% ({low}...{high}%)",
    "{name}: {mean} % ({low} – {high} %)",
    "{name}: {mean} % [{low}, {high}]",
    "{name} is right between {low} and {high} % of the time, on average {mean} %.",
    "{name}: {low} < {mean} < {high} percent",
    "{name}: {low} – {mean} – {high} %",
    "{name}: {mean} %, {high} % at most and {low} % at least.",
)
RIGHT = [
    (checks.honest_interval, mean_interval),
    (checks.planted_leak, pairs_of),
    (checks.planted_leak, by_numpy),
    (checks.advice, advise),
    (checks.advice, once_percent),
    (checks.advice, compared),
    *((checks.advice, said(form)) for form in FORMS),
]
MISTAKES = {
    checks.honest_interval: {
        "overlap / (1 - overlap)": lambda s, o: mean_interval(s, 0),
        "t.ppf": gaussian,
        "spread of one split": spread,
        "not independent": lambda s, o: (s.mean(), 0.0, 1.0),
    },
    checks.planted_leak: {
        "one picture": exact,
        "flip(3)": lambda x, t: pairs_of(x, t, mirror=False),
        "both ways round": lambda x, t: pairs_of(x, t, both=True),
        "pairs too many": lambda x, t: pairs_of(x, t, every=True),
        "the root": lambda x, t: pairs_of(x, t, apart=lambda d: d.square().mean()),
        "root of the mean square": lambda x, t: pairs_of(x, t, apart=lambda d: d.abs().mean()),
        "is one picture": lambda x, t: pairs_of(x, t, apart=lambda d: d.abs().max()),
        "right for another threshold": lambda x, t: pairs_of(x, 0.1),
        "colours": lambda x, t: pairs_of(x, t, grey=True),
        "row numbers": lambda x, t: 3,
    },
    checks.advice: {
        "is clearly ahead of": best_mean,
        "clearly ahead of": lambda s: f"{best_mean(s)} All: {all_of_them(s)}.",
        "names first ... ahead of": lambda s: "Those of the notebook: " + all_of_them(s),
        "is not linear probe": lambda s: "Take the one with most right: 70 % (68 to 72 %).",
        "does not say how often": lambda s: LOOKS[first_try(s)].name,
        "how often ... right": lambda s: "{} {:.1%} ({:.1%} to {:.1%})".format(
            LOOKS[first_try(s)].name, *s[first_try(s)].interval
        ),
        "`.low` and `.high`": lambda s: advise(s).split(" (")[0],
        "low ... is given as": said("{name}: {low} % right (from {mean} to {high} %)"),
        "high ... is given as": said("{name}: {high} %, between {low} % and {mean} %"),
        "is given as": said("{name}: {low} % ({mean}..{high} %)"),
        "expected a paragraph": lambda s: s,
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)
