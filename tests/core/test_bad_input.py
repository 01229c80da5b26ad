"""What public functions say to a wrong argument: its own name first, then what was given.

A table of calls: what is right, and what is wrong with each argument.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from mistakes import is_finite, mistakes
from seeds import generator, seeded
from torch import nn

from labkit import calibration, contrastive, data, encoders, layers, statistics, tasks, training
from labkit.adapters import storage_cost
from labkit.augment import SIMCLR
from labkit.contrastive import projections
from labkit.text import TextEncoder, WordEncoder, make_vocabulary

NAN, INF = float("nan"), float("inf")
COUNTS = (0, -3, 1.5, "1", NAN)  # none of which is a whole number of at least 1
ABOVE_0 = (0.0, -1.0, NAN, INF, "1", None)
AT_LEAST_0 = (-1.0, NAN, INF, "1", None)
FINITE = (NAN, INF, "1", None)
SHARES = (-0.1, 1.5, NAN, "1", None)  # not from 0 to 1
UNKNOWN = ("zorple",)


X, X2 = (torch.randn(6, 4, generator=generator(i)) for i in range(2))
Y = torch.tensor([0, 1, 2, 0, 1, 2])
IMAGES = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8, generator=generator())
OFF_SCALE = (IMAGES.float(), IMAGES / 100 - 1, IMAGES / 0)
NO_IMAGES = ("x", IMAGES[0], IMAGES[:, :1], IMAGES.long())
BAD_IMAGES = OFF_SCALE + NO_IMAGES
BAD_LABELS = (Y + 500, Y - 1, Y.float(), Y[:3], "x")
SPOILT = (X * NAN, X * INF)
WRONG = (*SPOILT, X[0], X[:, :0], X[:0])  # as features (n, dim)
THETA = np.array([0.5, -0.5])
CONV = seeded(lambda: encoders.ConvEncoder(width=2)).eval()
VIT = seeded(lambda: encoders.VisionTransformer(dim=8, depth=2, heads=2, size=8)).eval()
NET = seeded(lambda: nn.Sequential(nn.Linear(4, 3)))
TEXT = seeded(lambda: TextEncoder(make_vocabulary(["a cat", "red heart"]), dim=8)).eval()
QUICK = training.Schedule(steps=2, batch=4, record_every=0)
EXAMPLES = tasks.Examples(IMAGES, Y)
TASK = tasks.Task("t", ("a", "b", "c"), EXAMPLES, EXAMPLES, EXAMPLES, {"o": EXAMPLES})
PROBED = {"encoder": CONV, "task": TASK}
EMOJI = data.load(("noto", "blob"), parts="validation")
RIGHT = np.array([True, False, True, True, False, True])
CONFIDENCE = np.array([0.9, 0.4, 0.8, 0.7, 0.5, 0.99])
ANSWERS = calibration.Answers(CONFIDENCE, RIGHT)
SCORES = statistics.Scores(np.array([0.1, 0.2]), overlap=0)
EPISODES = torch.randn(2, 6, 4, generator=generator())  # (tasks, n, dim)
BATCH = {"support_x": EPISODES, "support_y": torch.stack([Y, Y])}
BATCH |= {"query_x": EPISODES, "query_y": torch.stack([Y, Y])}


def classifier(seed: int = 0) -> training.Classifier:
    return training.new_classifier(CONV, 3, generator(seed))


@dataclass(frozen=True)
class Call:
    """A public function, arguments that it takes, and for some of them values that it refuses."""

    path: str  # "module.name" in labkit, or the name of `call`
    good: dict[str, Any]
    wrong: dict[str, tuple]
    call: Callable | None = None

    def __call__(self, **arguments: Any) -> Any:
        module, _, name = self.path.rpartition(".")
        call = self.call or getattr(importlib.import_module(f"labkit.{module}"), name)
        if "generator" in inspect.signature(call).parameters:
            arguments["generator"] = generator()
        return call(**arguments)


def info_nce(image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    return contrastive.info_nce(image, text, 0.1)


NUMBERS = {"temperature": ABOVE_0, "logit_scale": AT_LEAST_0, "logit_bias": FINITE}
BACKBONE = next(iter(storage_cost.BACKBONES.values()))
IMAGE = {"images": IMAGES}
CALLS = [
    # the core
    Call("data.load", {"styles": ("noto",), "parts": ("test",), "size": 32},
         {"styles": (UNKNOWN, (), ("noto",) * 2), "parts": (UNKNOWN,), "size": (48, "32", 32.0)}),
    Call("data.labels_of", {"positions": Y}, {"positions": (Y + 10**6, Y - 5)}),
    Call("tasks.style_shift",
         {"id_styles": ("noto",), "ood_styles": ("blob",), "classes": ("plant",)},
         {"id_styles": (UNKNOWN, ()), "ood_styles": (("noto",), UNKNOWN), "classes": (UNKNOWN,)}),
    Call("tasks.subpopulation_shift", {"styles": ("noto",), "classes": ("animal", "plant")},
         {"styles": (UNKNOWN,), "classes": (UNKNOWN, ("clothing",))}),
    Call("tasks.who_drew_it", {"classes": ("plant",), "ood_classes": ("animal",), "split": 0},
         {"classes": (UNKNOWN,), "ood_classes": (UNKNOWN, ("plant",))}),
    Call("tasks.few_shot", {"task": TASK, "shots": 2}, {"shots": COUNTS}),
    Call("tasks.sample_episode",
         {"emoji": EMOJI, "ways": 3, "shots": 1, "queries": 1, "support_styles": ("noto", "blob")},
         {"ways": COUNTS, "shots": COUNTS, "queries": COUNTS, "support_styles": (UNKNOWN,)}),
    Call("augment.Augmentation", asdict(SIMCLR),
         dict.fromkeys(asdict(SIMCLR), (-0.1, 1000, NAN, "1", [1]))),
    Call("SIMCLR", IMAGE, {"images": BAD_IMAGES}, SIMCLR),
    Call("encoders.load", {"name": "clip-vit"}, {"name": UNKNOWN}),
    Call("encoders.torchvision_encoder", {"name": "resnet18"},
         {"name": (*UNKNOWN, "squeezenet1_1", "fcn_resnet50", "resnet19")}),
    *(Call(type(text).__name__, {"captions": ["a cat", "zorple"]}, {"captions": ("a cat",)}, text)
      for text in (TEXT, WordEncoder())),
    *(Call(path, {"encoder": CONV, **IMAGE}, {"images": BAD_IMAGES})
      for path in ("training.features", "layers.layer_features")),
    Call("training.accuracy", {"model": classifier(), "examples": EXAMPLES},
         {"examples": tuple(EXAMPLES._replace(labels=y) for y in BAD_LABELS)}),
    Call("training.new_classifier", {"encoder": CONV, "classes": 3}, {"classes": COUNTS}),
    Call("training.Schedule",
         {"steps": 3, "batch": 4, "optimizer": "sgd", "momentum": 0.9, "head_times": 2.0,
          "record_every": 2},
         {"steps": COUNTS, "batch": COUNTS, "optimizer": UNKNOWN, "momentum": (1.0, -0.1, NAN, "1"),
          "head_times": ABOVE_0, "record_every": (-1, 1.5)}),
    *(Call(f"transfer.{name}", {**PROBED, "lr": 0.01, "schedule": QUICK}, {"lr": ABOVE_0})
      for name in ("fine_tune", "from_scratch", "lp_ft")),
    Call("transfer.linear_probe", {**PROBED, "strengths": [0.1, 1.0]},
         {"strengths": ([], [0.0], [NAN], [-1.0, 1.0])}),
    Call("transfer.best_rate", {"run": lambda lr: training.Fit(classifier(), 0.5), "rates": [0.1]},
         {"rates": ([],)}),
    Call("transfer.interpolate", {"start": classifier(0), "end": classifier(1), "alpha": 0.5},
         {"alpha": SHARES}),
    Call("transfer.l2_sp", {"encoder": CONV, "strength": 0.1}, {"strength": AT_LEAST_0}),
    Call("train_only", {"names": ["stem"]}, {"names": ([], UNKNOWN)},
         lambda names: layers.train_only(classifier(), *names)),
    Call("ridge.ridge", {"x": X, "y": X2, "strength": 1.0}, {"strength": ABOVE_0}),
    Call("statistics.mean_interval", {"values": [0.5, 0.6], "overlap": 0.3, "confidence": 0.95},
         {"values": ([], [NAN]), "overlap": SHARES, "confidence": (0.0, 1.0, 95, NAN)}),
    Call("statistics.share_interval", {"right": 3.0, "n": 5, "confidence": 0.95},
         {"confidence": (0.0, 1.0, NAN)}),
    Call("evaluate.nearest", {"queries": X, "gallery": X2, "count": 2},
         {"queries": SPOILT, "gallery": SPOILT, "count": (0, -3, 7)}),
    Call("evaluate.movement", {"before": X, "after": X2}, {"before": WRONG, "after": WRONG}),
    Call("evaluate.linear_cka", {"x": X, "y": X2}, {"x": WRONG, "y": WRONG}),
    # 01 to 07
    *(Call(f"contrastive.{name}", {first: X, second: X2, **numbers}, {
        first: (*WRONG, X.long(), [[1.0]]), second: (*WRONG, [[1.0]], X[:3], X[:, :3], X.double()),
        **{n: (*NUMBERS[n], torch.ones(2)) for n in numbers}})
      for name, first, second, numbers in (
          ("info_nce", "queries", "keys", {"temperature": 0.1}),
          ("nt_xent", "view1", "view2", {"temperature": 0.1}),
          ("clip_loss", "image", "text", {"logit_scale": 10.0}),
          ("siglip_loss", "image", "text", {"logit_scale": 10.0, "logit_bias": -10.0}))),
    Call("contrastive.geometry.alignment", {"one": X, "two": X2},
         {"one": WRONG, "two": (*SPOILT, X[:, :3])}),
    Call("contrastive.geometry.uniformity", {"features": X}, {"features": (*SPOILT, X[:1])}),
    Call("contrastive.geometry.information", {"image": X, "text": X2, "logit_scale": 9, "batch": 3},
         {"image": WRONG, "logit_scale": AT_LEAST_0, "batch": (7, 1, 2.5)}),
    Call("contrastive.geometry.negative_shares", {"similarities": X @ X2.T, "temperature": 0.1},
         {"similarities": (X @ X2.T * NAN,), "temperature": ABOVE_0}),
    Call("contrastive.projections.project",
         {"found": projections.Pairs(X, X2), "loss": info_nce, "steps": 2, "batch": 4, "dim": 2,
          "lr": 0.01, "seed": 0},
         {"steps": (-3, 1.5), "batch": (0, -3, 7), "dim": COUNTS, "lr": ABOVE_0}),
    Call("contrastive.pretrain.Config",
         {"method": "clip", "architecture": "vit", "steps": 3, "batch": 4, "lr": 0.1,
          "augmentation": {}, "options": {"depth": 1}, "seed": 0},
         {"method": UNKNOWN, "architecture": UNKNOWN, "steps": COUNTS, "batch": COUNTS,
          "lr": ABOVE_0, "augmentation": ({"flips": 1}, [1], None), "seed": (-1, 1.5, 10**20),
          "options": ({"dpeth": 1}, {"depth": 0}, {"dim": "a"}, {"heads": 3}, {"size": 16}, [1])}),
    Call("adapters.Bottleneck", {"dim": 4, "width": 2}, {"dim": COUNTS, "width": COUNTS}),
    Call("adapters.LoRALinear", {"linear": nn.Linear(4, 2), "rank": 2, "alpha": 8.0},
         {"rank": COUNTS, "alpha": FINITE}),
    Call("adapters.Method", {"width": 0}, {"width": (8,)}),
    Call("adapters.Adapters", {"width": 2, "places": ("attention",)},
         {"width": COUNTS, "places": (("head",), ())}),
    Call("adapters.LoRA", {"width": 2, "trains": "norms", "alpha": 8.0},
         {"width": (-1, 1.5), "trains": UNKNOWN, "alpha": FINITE}),
    Call("adapters.without", {"encoder": VIT, "blocks": (0, 1)}, {"blocks": ((5,), (-1,))}),
    Call("adapters.storage_cost.megabytes",
         {"method": "lora", "width": 2, "tasks": 3, "precision": 2, "backbone": BACKBONE},
         {"method": UNKNOWN, "width": COUNTS, "tasks": COUNTS}),
    Call("failure.corruptions.corrupt", {**IMAGE, "kind": "noise", "severity": 2},
         {"images": NO_IMAGES, "kind": UNKNOWN, "severity": (-1, 6, 1.5)}),
    Call("calibration.answers", {"logits": X[:, :3], "labels": Y, "temperature": 1.0},
         {"logits": (X[:, :3] * NAN, X[0]), "labels": (*BAD_LABELS[:4], Y + 1),
          "temperature": ABOVE_0}),
    Call("calibration.Answers", {"confidence": CONFIDENCE, "right": RIGHT},
         {"confidence": (2 * CONFIDENCE,), "right": (RIGHT[:1], CONFIDENCE)}),
    Call("failure.label_free_estimates.average_thresholded_confidence",
         {"known": ANSWERS, "confidence": CONFIDENCE}, {"confidence": (np.array([1.5]),)}),
    Call("reliability", {"bins": 5}, {"bins": COUNTS},
         lambda bins: calibration.reliability(ANSWERS, bins).count),
    Call("advice.first_try", {"scores": {"probe": SCORES}}, {"scores": ({}, {"magic": SCORES})}),
    Call("failure.corruptions.resize", {**IMAGE, "size": 5}, {"size": COUNTS}),
    Call("failure.corruptions.strength", {"amount": 1.0}, {"amount": AT_LEAST_0}),
    Call("failure.invariance.trap_task", {"question": "colour", "seed": 1}, {"question": UNKNOWN}),
    Call("meta.maml_loss", {"model": NET, **BATCH, "inner_lr": 0.1, "inner_steps": 2,
         "loss_fn": nn.functional.cross_entropy},
         {"inner_lr": (-1.0, NAN, INF), "inner_steps": (-1, 1.5)}),
    Call("meta.fewshot.network", {"width": 8, "ways": 3}, {"width": COUNTS, "ways": COUNTS}),
    Call("meta.fewshot.load", {"name": "maml"}, {"name": UNKNOWN}),
    Call("meta.meta_train.MetaTraining", {"method": "maml", "steps": 2},
         {"method": UNKNOWN, "steps": COUNTS}),
    Call("meta.sinusoids.network", {"seed": 0, "width": 4}, {"width": COUNTS}),
    Call("meta.sinusoids.meta_train", {"method": "maml", "steps": 1, "seed": 0},
         {"method": UNKNOWN}),
    Call("meta.landscape.landscape", {"theta": THETA, "steps": 2, "lr": 0.1, "points": 5},
         {"steps": (-1, 1.5), "lr": (0.0, 5.0), "points": COUNTS}),
    Call("meta.sinusoids.sample", {"tasks": 2, "shots": 3, "queries": 4},
         {"tasks": COUNTS, "shots": COUNTS, "queries": COUNTS}),
    Call("lp_ft.theory.simulate",
         {"dim": 10, "rank": 2, "samples": 8, "subspace_dim": 4, "feature_error": 0.1, "seed": 0,
          "steps": 5, "head_scale": 0.3, "head_rate": 2.0},
         {"dim": COUNTS, "samples": COUNTS, "feature_error": FINITE, "steps": (0, -1, 1.5),
          "rank": (True, *COUNTS), "seed": (-1, "1"), "head_scale": FINITE,
          "head_rate": FINITE}),
    Call("lp_ft.theory.recorded", {"steps": 5, "points": 10}, {"points": COUNTS}),
    Call("lp_ft.theory_bound.stated",
         {"k": 2, "cosine": 0.5, "phi": 0.5, "norm": 1.0, "error": 0.1},
         {"k": COUNTS, "cosine": SHARES}),
    Call("capstone.near_duplicates", {**IMAGE, "threshold": 0.1}, {"threshold": AT_LEAST_0}),
    Call("capstone.load_backbone", {"name": "clip-vit"},
         {"name": (*UNKNOWN, "resnet19"), "weights": ("DEFAULT",)}),
    Call("lp_ft.distortion.ExplorerSetting",
         {"id_style": "noto", "ood_style": "blob", "shots": 3, "ft_lr": 0.01, "lp_ft_lr": 0.01,
          "head": "zero", "head_scale": 1.0},
         {"id_style": UNKNOWN, "ood_style": UNKNOWN, "shots": COUNTS, "ft_lr": ABOVE_0,
          "head": UNKNOWN, "head_scale": AT_LEAST_0}),
]  # fmt: skip
ROWS = [
    pytest.param(call, argument, value, id=f"{call.path}-{argument}-{i}")
    for call in CALLS
    for argument, values in call.wrong.items()
    for i, value in enumerate(values)
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.path)
def test_what_is_right_has_a_finite_answer(call: Call) -> None:
    assert is_finite(call(**call.good))


@pytest.mark.parametrize(("call", "argument", "value"), ROWS)
def test_what_is_wrong_is_told_by_its_name_first(call: Call, argument: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^{argument}[\w.]*: got (?s:.*)accepted: "):
        call(**{**call.good, argument: value})


@pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:__array__ implementation")
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.path)
@cases(3, long=2000)
@given(drawn=st.data())
def test_any_other_number_has_a_finite_answer_or_is_told(call: Call, drawn: st.DataObject) -> None:
    """Numbers, whole and not, that nobody thought of; the answer to each is finite or an error."""
    numbers = [a for a, x in call.good.items() if isinstance(x, (int, float)) and a != "n"]
    if not numbers:
        return
    argument = drawn.draw(st.sampled_from(numbers))
    try:
        result = call(**{**call.good, argument: drawn.draw(mistakes(call.good[argument]))})
    except (TypeError, ValueError, FloatingPointError) as error:
        assert ": " in str(error), error
    else:
        assert is_finite(result), argument
