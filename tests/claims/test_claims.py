"""What the notebooks' sentences claim, judged by the tables with the intervals that fit them.

A claim of a lead wants an interval above 0, "level" one around 0, and a mere direction the mean.
When a table is made anew, these tests name the sentences to be written anew.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from labkit import capstone, data, encoders, explorers, sweeps
from labkit.adapters import comparison
from labkit.capstone.measure import promised
from labkit.contrastive import zero_shot
from labkit.lp_ft.sweep import LONGER, RATES
from labkit.meta import fewshot
from labkit.statistics import Scores

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FAR = ["colour to shaded and mono", "twemoji to nine others"]
ALONE = ["colour to shaded, emoji alone", "twemoji to others, emoji alone"]
ALL_FAR = FAR + ALONE
CLOSE = ["three colour to two colour", "sub-population"]
FULL, PROBE, HOULSBY = comparison.FULL, comparison.PROBE, comparison.HOULSBY
WHO = "who drew it"
FAST = "fast head, frozen"
SLOW = 0.003  # of fine-tuning's learning rates
FASTEST = {"method": "lp-ft", "rate": 0.003}  # exercise 3's answer
SETTINGS = tuple(fewshot.SETTINGS)


@cache
def prose(notebook: str) -> str:
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return " ".join("\n".join(texts).split())


@cache
def table(name: str) -> pd.DataFrame:
    return sweeps.read(name)


def is_ahead(lead: Scores) -> bool:
    return lead.low > 0


def is_level(lead: Scores) -> bool:
    return lead.low < 0 < lead.high


def shots(score: str, one: str, two: str, count: str) -> Scores:
    return sweeps.lead(table("motivation"), score, one, two, shots=count)


def few_shot(one: str, two: str, count: int = 1, setting: str = "within") -> Scores:
    by = ["setting", "shots", "episode", "concepts"]
    methods = [name for name in table("fewshot") if name not in by]
    long = table("fewshot").melt(by, methods, "method", "accuracy")
    return sweeps.lead(long, "accuracy", one, two, setting=setting, shots=count)


def styles(one: str, two: str, names: tuple[str, ...]) -> Scores:
    return sweeps.lead(table("contrastive"), list(names), one, two, shots=5)


def adapters(score: str, one: tuple, two: tuple, task: list[str] | str) -> Scores:
    where = [{"method": m, "width": w, "pruned": "none"} for m, w in (one, two)]
    return sweeps.lead(table("adapters"), score, *where, task=task)


def trap(question: str, weights: str, method: str = "probe") -> Scores:
    where = {} if method == "scratch" else {"weights": weights}
    return sweeps.scores(table("traps"), "id", question=question, method=method, **where)


def lp_ft(score: str, one: str, two: str, shift: list[str] | str, name: str = "lp_ft") -> Scores:
    return sweeps.lead(table(name), score, one, two, shift=shift, picked=True)


longer = partial(lp_ft, shift=FAR, name="lp_ft_steps")


def head(score: str, one: str, two: str, where: list[str]) -> Scores:
    return lp_ft(score, one, two, where, "lp_ft_heads")


def mean(name: str, score: str, **where) -> float:
    return sweeps.scores(table(name), score, **where).mean


def one_step_is_best() -> bool:
    inside = table("sinusoids").query("range == 'inside'").set_index(["method", "seed"])["k1"]
    others = inside.drop("maml", level="method").groupby("seed").min()
    return bool((inside["maml"] < others).all())


def five_steps_break() -> bool:
    outside = table("sinusoids").query("range == 'outside' and method == 'maml'")
    return bool((outside["k1"] < 21.5).all() and (outside["k5"] > 21.5).all())


def patience() -> pd.DataFrame:
    by = table("adapters_steps").groupby(["task", "method", "times"])["validation"].mean()
    return by.unstack("times")


def five_against_all() -> Scores:
    sides = {"method": "probe", "shots": "5"}, {"method": "scratch", "shots": "all"}
    return sweeps.lead(table("motivation"), "ood", *sides)


def bought_and_paid() -> Scores:
    """What recolouring brings of shape, less what it costs of colour."""
    gain = trap("shape", "simclr-color-flip") - trap("shape", "simclr-flip")
    return gain - (trap("colour", "simclr-flip") - trap("colour", "simclr-color-flip"))


def tuned(name: str, score: str = "id") -> float:
    return mean(name, score, method="fine-tuning", shift=FAR, picked=True)


def at_rate(name: str, score: str, rate: float) -> float:
    return mean(name, score, method="fine-tuning", rate=rate, shift=FAR)


def gains_most() -> bool:
    gained = (patience()[3] - patience()[1]).unstack("task")
    return bool((gained.idxmax() == "fine-tuning").all())


class Example(NamedTuple):
    """What notebook 07 finds in the folder that it writes."""

    at_random: Scores  # of a probe, over five splits of the images
    by_group: Scores
    pairs: pd.DataFrame  # near-duplicates, to a distance of .12
    planted: int  # copies among them


@cache
def example() -> Example:
    with TemporaryDirectory() as folder:
        made = capstone.write_example(Path(folder))
        images = capstone.read(made.folder, r"^(.+)_")
    mine = capstone.enough(capstone.joined(images, capstone.near_duplicates(images.images)))
    features = capstone.cached_features(capstone.load_backbone("clip-words-conv"), mine.images)
    alone = replace(mine, groups=np.arange(len(mine)))
    scores = (Scores(promised(x, features, 5), tuple(range(5)), 0.2) for x in (alone, mine))
    return Example(*scores, capstone.near_duplicates(images.images, 0.12), len(made.planted))


def nearer(distance: float) -> int:
    return int((example().pairs["distance"] <= distance).sum())


COLOURFUL, OTHERS = data.STYLES[:6], data.STYLES[6:]
CLAIMS: list[tuple[str, str, Callable[[], bool]]] = [
    ("01", "five labels with prior knowledge do as well as *all* labels without",
     lambda: five_against_all().mean > 0 and five_against_all().low > -0.03),
    ("01", "With all labels it is ahead in distribution and behind out of it",
     lambda: shots("id", "fine-tuning", "probe", "all").mean > 0
     > shots("ood", "fine-tuning", "probe", "all").mean),
    ("02", "one step from MAML's $\\hat\\theta$ is best in every seed", one_step_is_best),
    ("02", "one step still helps, five are worse than always answering zero", five_steps_break),
    ("02", "beats, in colour, both networks that were made for this game",
     lambda: is_ahead(few_shot("clip_prototypes", "prototypes"))
     and is_ahead(few_shot("clip_prototypes", "maml"))),
    ("02", "class means beat MAML", lambda: is_ahead(few_shot("prototypes", "maml"))),
    ("02", "by most when there is one drawing of each",
     lambda: few_shot("maml", "scratch").low > few_shot("maml", "scratch", 5).mean > 0),
    ("02", "*MAML, head only* is nowhere behind *MAML*",
     lambda: all(few_shot("maml_head", "maml", n, setting).high > 0
                 for n in (1, 5) for setting in SETTINGS)),
    ("03", "CLIP is ahead of SimCLR in every style",
     lambda: all(styles("clip", "simclr", (s,)).mean > 0 for s in data.STYLES)
     and is_ahead(styles("clip", "simclr", COLOURFUL))
     and is_ahead(styles("clip", "simclr", OTHERS))),
    ("03", "The supervised encoder is level with CLIP",
     lambda: is_level(styles("clip", "supervised", COLOURFUL))
     and is_level(styles("clip", "supervised", OTHERS))),
    ("04", "In distribution adapters are level with full tuning",
     lambda: is_level(adapters("id", HOULSBY, FULL, [*FAR, WHO]))),
    ("04", "so is the **linear probe**", lambda: is_level(adapters("id", PROBE, FULL, FAR))),
    ("04", "There full tuning and adapters are ahead, though five seeds cannot make it sure",
     lambda: all(lead.mean > 0 > lead.low for lead in
                 (adapters("id", method, PROBE, WHO) for method in (FULL, HOULSBY)))),
    ("04", "full tuning gains most", gains_most),
    ("04", "**On the two style shifts: yes.**",
     lambda: is_ahead(adapters("ood", HOULSBY, FULL, FAR))
     and adapters("moved_ood", HOULSBY, FULL, FAR).high < 0),
    ("04", "**On \"who drew it?\": no**", lambda: is_level(adapters("ood", HOULSBY, FULL, WHO))),
    ("05", "Recolouring halves what a probe reads",
     lambda: 0.4 < trap("colour", "simclr-color-flip").mean / trap("colour", "simclr-flip").mean
     < 0.6),
    ("05", "*buys* as much of shape as it costs of colour", lambda: is_level(bought_and_paid())),
    ("05", "of the rows, only the second is sure",
     lambda: (trap("colour", "simclr-color-flip") - trap("colour", "", "scratch")).high < 0
     and is_level(trap("shape", "simclr-color-flip") - trap("shape", "", "scratch"))
     and is_level(trap("shape", "simclr-plain") - trap("shape", "", "scratch"))),
    ("05", "trained at 32 pixels and tested at 64, a probe loses nearly half",
     lambda: sweeps.lead(table("mismatch"), "accuracy", {"trained": 32}, {"trained": 64},
                         tested=64).high < -0.1),
    ("06", "**Far** from the training styles LP-FT beats FT out of distribution",
     lambda: is_ahead(lp_ft("ood", "lp-ft", "fine-tuning", ALL_FAR))
     and is_level(lp_ft("id", "lp-ft", "fine-tuning", ALL_FAR))),
    ("06", "On **close** shifts, and on other subgroups, nothing is clearly ahead",
     lambda: all(is_level(lp_ft("ood", "lp-ft", "fine-tuning", shift)) for shift in CLOSE)),
    ("06", "**A fast head does as well as the probe's**, with more prior knowledge or less",
     lambda: all(is_level(head(s, "lp-ft", FAST, where))
                 for s in ("id", "ood") for where in (ALL_FAR, FAR, ALONE))
     and all(is_level(longer(s, "lp-ft", FAST)) for s in ("id", "ood"))),
    ("06", "Out of distribution both beat plain fine-tuning, in 320 steps the fast head alone for "
     "sure",
     lambda: all(is_ahead(head("ood", one, "fine-tuning", where))
                 for one in (FAST, "lp-ft") for where in (ALL_FAR, FAR, ALONE))
     and is_ahead(longer("ood", FAST, "fine-tuning"))
     and is_level(longer("ood", "lp-ft", "fine-tuning"))),
    ("06", "Free statistics help LP-FT in distribution, and change nothing out of it",
     lambda: is_ahead(head("id", "lp-ft, free", "lp-ft", ALL_FAR))
     and is_level(head("ood", "lp-ft, free", "lp-ft", ALL_FAR))),
    ("06", "**In distribution** fine-tuning and, just, LP-FT are ahead of the probe",
     lambda: all(is_ahead(longer("id", one, "probe")) for one in ("fine-tuning", "lp-ft"))),
    ("06", "**Out of distribution** fine-tuning falls behind it, LP-FT not clearly; LP-FT "
     "leads fine-tuning for sure in the second shift only",
     lambda: is_ahead(longer("ood", "probe", "fine-tuning"))
     and is_level(longer("ood", "lp-ft", "probe"))
     and is_ahead(longer("ood", "lp-ft", "fine-tuning", shift=FAR[1]))
     and all(is_level(longer("ood", "lp-ft", "fine-tuning", shift=x)) for x in (FAR, FAR[0]))),
    ("06", "In 80 steps a small rate leaves a random head half learned; in 320 no rate reaches "
     "the probe out of distribution",
     lambda: at_rate("lp_ft", "id", SLOW) < mean("lp_ft", "id", method="probe", shift=FAR) - 0.05
     and all(at_rate(name, "ood", rate) < mean(name, "ood", method="probe", shift=FAR)
             for name, rates in (("lp_ft", RATES), ("lp_ft_steps", LONGER))
             for rate in rates["fine-tuning"])),
    ("06", "More pictures and longer pre-training did not make it larger",
     lambda: is_level(lp_ft("ood", "lp-ft", "fine-tuning", FAR)
                      - lp_ft("ood", "lp-ft", "fine-tuning", ALONE))),
    ("06", "Fine-tuning needed the steps", lambda: tuned("lp_ft_steps") > tuned("lp_ft")),
    ("06", "**No lead is left to see.**",
     lambda: is_level(lp_ft("ood", "lp-ft", "fine-tuning", "poor features"))),
    ("06", "against the *probe* it is level",
     lambda: is_level(lp_ft("ood", "lp-ft", "probe", ALL_FAR))),
    ("06", "it moves further than FT, and is level with the probe: distance is not damage",
     lambda: mean("lp_ft", "moved_id", **FASTEST, shift=FAR[1])
     > mean("lp_ft", "moved_id", method="fine-tuning", picked=True, shift=FAR[1])
     and is_level(sweeps.lead(table("lp_ft"), "ood", FASTEST, {"method": "probe"}, shift=FAR[1]))),
    ("06", "(the sweep's) they are level",
     lambda: is_level(lp_ft("ood", "wise-ft", "lp-ft", ALL_FAR))),
    ("07", "Up to .06 nearly all pairs are copies; further out come different things",
     lambda: 0.9 < example().planted / nearer(0.06) <= 1 and nearer(0.12) > 1.5 * nearer(0.06)),
    ("07", "**The random split promises what new images will not keep.**",
     lambda: example().at_random.mean - example().by_group.mean > 0.03),
    ("07", "though it is lower and less sure, since there are fewer things than pictures",
     lambda: example().by_group.high - example().by_group.low
     > example().at_random.high - example().at_random.low),
]  # fmt: skip


@pytest.mark.parametrize(("notebook", "sentence", "holds"), CLAIMS)
def test_a_sentence_says_what_the_tables_hold(notebook, sentence, holds) -> None:
    assert sentence in prose(notebook), "the sentence has changed: judge the new one"
    assert holds()


def ten_labels() -> list[float]:
    """In percent: from scratch and by a probe, ID and then OOD."""
    return [100 * mean("motivation", score, method=method, shots="10")
            for score in ("id", "ood") for method in ("scratch", "probe")]  # fmt: skip


def one_drawing() -> list[float]:
    within = table("fewshot").query("setting == 'within' and shots == 1")
    return [100 * within[method].mean() for method in ("scratch", "maml", "clip_prototypes")]


def tuning_by_adapters() -> list[float]:
    level, ahead = adapters("id", HOULSBY, FULL, [*FAR, WHO]), adapters("ood", HOULSBY, FULL, FAR)
    values = np.array([*level.interval, *ahead.interval])
    return list(100 * values * [1, -1, 1, 1, 1, 1])  # the text has a real minus sign


def zero_shot_and_largest() -> list[float]:
    gallery = zero_shot.embed_gallery(encoders.load("clip-words-conv"))
    return list(100 * zero_shot.scoreboard(gallery, 0)["accuracy"].iloc[[2, 1]])


def pushing() -> list[float]:
    panel = explorers.temperature()
    return [panel.compute("clip", x, batch=0, anchor=0).half for x in (0.01, 0.05, 1)]


def leads(*pairs: tuple[str, str, str]) -> list[float]:
    return [100 * longer(*pair).mean for pair in pairs]


TAUGHT: list[tuple[str, Callable[[], list[float]]]] = [
    ("about {:.0f} and {:.0f} %; out of distribution {:.0f} and {:.0f} %", ten_labels),
    ("{:.0f}, {:.0f} and {:.0f} % | it is a larger network", one_drawing),
    ("{:.0f} %, always the largest class {:.0f} %", zero_shot_and_largest),
    ("half of the push from {:.1f}, {:.1f} and {:.1f} negatives", pushing),
    ("level in ({:+.1f}, −{:.1f} to {:.1f}); out of it *ahead* on the style shifts by "
     "{:.1f} ({:.1f} to {:.1f})", tuning_by_adapters),
    ("by {:.0f} and {:.0f} points over the probe; out, FT is {:.0f} behind the probe",
     lambda: leads(("id", "fine-tuning", "probe"), ("id", "lp-ft", "probe"),
                   ("ood", "probe", "fine-tuning"))),
    ("ID gains {:.0f} points, OOD {:.0f}, and OOD it is still {:.0f} behind the probe",
     lambda: [100 * (tuned("lp_ft_steps", s) - tuned("lp_ft", s)) for s in ("id", "ood")]
     + leads(("ood", "probe", "fine-tuning"))),
    ("about {:.0f} points | whose data",
     lambda: [100 * (example().at_random.mean - example().by_group.mean)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "measured"), TAUGHT)
def test_lecturers_are_told_what_is_measured(text, measured) -> None:
    told = " ".join((NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8").split())
    assert text.format(*measured()) in told
