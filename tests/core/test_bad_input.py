"""Whatever is passed to a public function: an error that names it, or a finite answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from mistakes import PLAIN, VALUE, is_finite, mistakes
from torch import Tensor, nn

from labkit import (  # fmt: skip
    adapters,
    augment,
    color,
    contrastive,
    data,
    drift,
    encoders,
    evaluate,
    layers,
    meta,
    photos,
    probe,
    results,
    tables,
    tasks,
    text,
    training,
    transfer,
)
from labkit.adapters import (  # fmt: skip
    layers as adapter_layers,
)
from labkit.adapters import (
    storage_cost as storage,
)
from labkit.contrastive import geometry, pretrain, projections, zero_shot  # fmt: skip
from labkit.failure import (  # fmt: skip
    advice,
    calibration,
    corruptions,
    invariance,
    under_shift,
)
from labkit.failure import (
    double_descent as descent,
)
from labkit.failure import (
    label_free_estimates as proxies,
)
from labkit.failure import (
    train_test_mismatch as mismatch,
)
from labkit.lp_ft import distortion, theory, theory_bound, theory_model  # fmt: skip
from labkit.lp_ft import panels as two_layer
from labkit.meta import batched, fewshot, heads, landscape, sinusoids  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randn(6, 4, generator=generator(0))
X2 = torch.randn(6, 4, generator=generator(1))
HEAD, HEAD2 = X[:3], X2[:3]
Y = torch.tensor([0, 1, 2, 0, 1, 2])
IMAGES = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8, generator=generator())
FLOATS = IMAGES.float() / 255
TX, TQ = torch.randn(2, 2, 6, 4, generator=generator())  # (tasks, n, dim)
TY = torch.stack([Y, Y])
SINES = sinusoids.sample(2, 5, 5, generator())
ROWS = [
    {
        "shift": "s",
        "method": m,
        "seed": str(s),
        "shots": "5",
        "id": f".{s + 5}",
        "ood": f".{s + 3}",
        "setting": "1",
        "picked": "True",
    }
    for m in ("a", "b")
    for s in range(3)
]
EPISODES = [{"setting": "x", "shots": "5", "a": f".{i}", "b": ".4"} for i in range(4)]
AMOUNTS = torch.linspace(-0.4, 0.4, 6)  # one for each of IMAGES
THETA = np.array([0.5, -0.5])
PROBLEM = theory_model.draw_problem(10, 2, 8, 4, 0.1, 0.3, 0)
FRAME = np.eye(4)[:3]
with torch.random.fork_rng():
    torch.manual_seed(0)
    NET = nn.Sequential(nn.Linear(4, 3))
    CONV = encoders.ConvEncoder(width=2).eval()
    VIT = encoders.VisionTransformer(dim=8, depth=2, heads=2, size=8).eval()
    TEXT = text.TextEncoder(text.make_vocabulary(["a cat", "red heart"]), dim=8).eval()
QUICK = training.Schedule(steps=2, batch=4, record_every=1)
EXAMPLES = tasks.Examples(IMAGES, Y)
TASK = tasks.Task("t", ("a", "b", "c"), EXAMPLES, EXAMPLES, EXAMPLES, {"o": EXAMPLES})
EMOJI = data.load(("noto", "blob"), parts="validation")
NETWORK = training.new_classifier(CONV, 3, generator())
KNOWN = under_shift.in_distribution(NETWORK, TASK)
GALLERY = zero_shot.ClipGallery(
    encoders.load("clip-conv"),
    EMOJI,
    torch.randn(len(EMOJI), 128, generator=generator()),
    torch.randn(3, 128, generator=generator()),
    data.labels_of(EMOJI.concept),
)
RIGHT = np.array([True, False, True, True, False, True])
CONFIDENCE = np.array([0.9, 0.4, 0.8, 0.7, 0.5, 0.99])


def task_of(**changes: Tensor) -> tasks.Task:
    """TASK with other images or labels in a part: train_images=..., validation_labels=..., ..."""
    task = TASK
    for name, value in changes.items():
        part, field = name.split("_")
        task = replace(task, **{part: getattr(task, part)._replace(**{field: value})})
    return task


def parts(*names: str) -> dict[str, Tensor]:
    return {n: IMAGES if n.endswith("images") else Y for n in names}


LEARN = parts("train_images", "train_labels", "validation_images", "validation_labels")


def with_task(recipe: Callable) -> Callable:
    """`recipe(task, **numbers)`, told what the task holds."""

    def call(**arguments):
        held = {n: arguments.pop(n) for n in list(arguments) if n in LEARN or n.startswith("test_")}
        return recipe(task_of(**held), **arguments)

    return call


def answers_of(confidence, right):
    return calibration.Answers(confidence, right)


def batch_of(support_x, support_y, query_x, query_y):
    return meta.TaskBatch(support_x, support_y, query_x, query_y)


TASKS = {"support_x": TX, "support_y": TY, "query_x": TQ, "query_y": TY}
ONE_TWO = {"one": X, "two": X2}
IMAGE_TEXT = {"image": X, "text": X2}
ANSWERS = {"confidence": CONFIDENCE, "right": RIGHT}
LOGITS = {"logits": HEAD.repeat(2, 1)[:, :3], "labels": Y}

CASES: dict[str, tuple[Callable, dict[str, Any]]] = {
    "info_nce": (contrastive.info_nce, {"queries": X, "keys": X2, "temperature": 0.1}),
    "nt_xent": (contrastive.nt_xent, {"view1": X, "view2": X2, "temperature": 0.1}),
    "clip_loss": (contrastive.clip_loss, {**IMAGE_TEXT, "logit_scale": 10.0}),
    "siglip_loss": (
        contrastive.siglip_loss, {**IMAGE_TEXT, "logit_scale": 10.0, "logit_bias": -10.0},
    ),
    "alignment": (geometry.alignment, ONE_TWO),
    "uniformity": (geometry.uniformity, {"features": X, "t": 2.0}),
    "modality_gap": (geometry.modality_gap, IMAGE_TEXT),
    "shift_gap": (geometry.shift_gap, {**IMAGE_TEXT, "share": 0.5}),
    "negative_shares": (geometry.negative_shares, {"similarities": X @ X2.T, "temperature": 0.1}),
    "half_of_push": (geometry.half_of_push, {"shares": X.softmax(dim=1)}),
    "information": (geometry.information, {**IMAGE_TEXT, "logit_scale": 10.0, "batch": 3}),
    "ridge": (heads.ridge, {"x": X, "y": X2, "strength": 1.0}),
    "prototypical_logits": (
        heads.prototypical_logits, {"support": X, "support_labels": Y, "query": X2},
    ),
    "RidgeHead": (
        lambda support_x, support_y, query_x, strength: heads.RidgeHead(NET, strength)(
            support_x, support_y
        )(query_x),
        {"support_x": TX, "support_y": TY, "query_x": TQ, "strength": 1.0},
    ),
    "LogisticHead": (
        lambda support_x, support_y, query_x, strength: heads.LogisticHead(NET, strength)(
            support_x, support_y
        )(query_x),
        {"support_x": TX, "support_y": TY, "query_x": TQ, "strength": 1.0},
    ),
    "Prototypes": (
        lambda support_x, support_y, query_x: heads.Prototypes(NET)(support_x, support_y)(query_x),
        {"support_x": TX, "support_y": TY, "query_x": TQ},
    ),
    "train_only": (
        lambda names: layers.train_only(training.new_classifier(CONV, 3, generator()), *names),
        {"names": ["stem"]},
    ),
    "freeze_bottom": (
        lambda count: layers.freeze_bottom(training.new_classifier(CONV, 3, generator()), count),
        {"count": 2},
    ),
    "layer_features": (lambda images: layers.layer_features(CONV, images), {"images": IMAGES}),
    "Bottleneck": (
        lambda dim, width: adapter_layers.Bottleneck(dim, width)(torch.ones(6, dim)),
        {"dim": 4, "width": 2},
    ),
    "LoRALinear": (
        lambda rank, alpha: adapter_layers.LoRALinear(nn.Linear(4, 2), rank, alpha)(X),
        {"rank": 2, "alpha": 8.0},
    ),
    "Adapters": (
        lambda **options: adapters.Adapters(**options),
        {"width": 2, "trains": "norms", "places": ("attention",)},
    ),
    "insert": (
        lambda blocks, **options: adapters.remove(
            adapters.insert(VIT, adapters.LoRA(blocks=blocks, **options), generator())
        ),
        {"blocks": (0, 1), "width": 2, "alpha": 8.0},
    ),
    "Augmentation": (
        lambda images, **options: augment.Augmentation(**options)(images, generator()),
        {
            "images": IMAGES, "crop": 0.5, "rotate": 10.0, "zoom": 0.1, "shift": 0.1, "fill": 1.0,
            "flip": 0.5, "color": 0.4, "hue": 0.1, "gray": 0.2, "blur": 1.0,
            "blur_probability": 0.5, "color_probability": 0.8,
        },
    ),
    "horizontal_flip": (
        lambda **a: augment.horizontal_flip(FLOATS, generator(), **a),
        {"probability": 0.5},
    ),
    "random_affine": (
        lambda **a: augment.random_affine(FLOATS, generator(), **a),
        {"crop": 0.5, "rotate": 10.0, "zoom": 0.5, "shift": 0.1, "flip": 0.5},
    ),
    "gaussian_blur": (
        lambda **a: augment.gaussian_blur(FLOATS, generator(), **a),
        {"sigma": 1.0, "probability": 0.5},
    ),
    "color_jitter": (
        lambda **a: augment.color_jitter(FLOATS, generator(), **a),
        {"strength": 0.4, "hue": 0.1, "probability": 0.5},
    ),
    "approximate_color": (
        lambda **a: augment.approximate_color(FLOATS, generator(), **a),
        {"strength": 0.4, "hue": 0.1, "probability": 0.5, "gray": 0.1},
    ),
    "grayscale": (
        lambda **a: augment.grayscale(FLOATS, generator(), **a),
        {"probability": 0.5},
    ),
    "corrupt": (
        lambda **a: corruptions.corrupt(generator=generator(), **a),
        {"images": IMAGES, "kind": "noise", "severity": 2},
    ),
    "corrupt by blur": (
        lambda **a: corruptions.corrupt(kind="blur", generator=generator(), **a),
        {"images": IMAGES, "severity": 2},
    ),
    "answers": (calibration.answers, {**LOGITS, "temperature": 1.0}),
    "negative_log_likelihood": (
        calibration.negative_log_likelihood, {**LOGITS, "temperature": 1.0},
    ),
    "fit_temperature": (calibration.fit_temperature, LOGITS),
    "calibration_error": (
        lambda confidence, right, bins: calibration.calibration_error(
            answers_of(confidence, right), bins
        ),
        {**ANSWERS, "bins": 5},
    ),
    "reliability": (
        lambda confidence, right, bins: calibration.reliability(
            answers_of(confidence, right), bins
        ).count,
        {**ANSWERS, "bins": 5},
    ),
    "movement": (drift.movement, {"before": X, "after": X2}),
    "head_change": (drift.head_change, {"before": HEAD, "after": HEAD2}),
    "linear_cka": (drift.linear_cka, {"x": X, "y": X2}),
    "unbiased linear_cka": (
        lambda x, y: drift.linear_cka(x, y, unbiased=True), {"x": X, "y": X2},
    ),
    "mean_interval": (evaluate.mean_interval, {"values": [0.5, 0.6, 0.8], "confidence": 0.95}),
    "bootstrap_interval": (
        lambda **a: evaluate.bootstrap_interval(resamples=99, **a),
        {"values": [0.5, 0.6, 0.8], "confidence": 0.95, "seed": 1},
    ),
    "paired_difference": (
        evaluate.paired_difference, {"ours": [0.5, 0.6, 0.8], "theirs": [0.5, 0.7, 0.6]},
    ),
    "share_interval": (evaluate.share_interval, {"right": 3.0, "n": 5, "confidence": 0.95}),
    "nearest": (evaluate.nearest, {"queries": X, "gallery": X2, "count": 2}),
    "labels_needed": (
        lambda **a: min(evaluate.labels_needed(**a), 1e9),  # infinite: never reached
        {"shots": [1.0, 5.0, 20.0], "accuracies": [0.2, 0.5, 0.8], "target": 0.6},
    ),
    "shots_curves": (
        lambda score, all_labels: evaluate.shots_curves(ROWS, score, all_labels),
        {"score": "id", "all_labels": 21.0},
    ),
    "at_shots": (
        lambda **a: evaluate.at_shots(ROWS, **a), {"method": "a", "shots": "5", "score": "id"},
    ),
    "column": (
        lambda score, method: tables.column(ROWS, score, method=method),
        {"score": "id", "method": "a"},
    ),
    "few-shot network": (fewshot.network, {"width": 8, "ways": 3}),
    "fewshot.sample": (
        lambda **a: fewshot.sample(EMOJI, generator=generator(), **a),
        {"count": 1, "ways": 2, "shots": 1, "queries": 1},
    ),
    "fewshot.accuracies": (
        lambda **a: fewshot.accuracies(heads.Prototypes(NET), batch_of(**a)), TASKS,
    ),
    "accuracies_by_step": (
        lambda steps, lr, **a: fewshot.accuracies_by_step(NET, batch_of(**a), steps, lr=lr),
        {**TASKS, "steps": 2, "lr": 0.1},
    ),
    "maml_loss": (
        lambda **a: meta.maml_loss(NET, loss_fn=F.cross_entropy, **a),
        {**TASKS, "inner_lr": 0.1, "inner_steps": 2},
    ),
    "maml_loss of squares": (
        lambda **a: meta.maml_loss(NET, loss_fn=F.mse_loss, **a),
        {
            "support_x": TX, "support_y": TX[..., :3], "query_x": TQ, "query_y": TQ[..., :3],
            "inner_lr": 0.1, "inner_steps": 2,
        },
    ),
    "reptile_loss": (
        lambda **a: meta.reptile_loss(NET, loss_fn=F.cross_entropy, **a),
        {"x": TX, "y": TY, "inner_lr": 0.1, "inner_steps": 2},
    ),
    "errors_after": (
        lambda steps, lr, **a: sinusoids.errors_after(
            sinusoids.network(0, 4), batch_of(**a), steps, lr
        ).clamp(max=1e9),  # infinite: diverged
        {**SINES._asdict(), "steps": 2, "lr": 0.01},
    ),
    "sinusoids.sample": (
        lambda **a: sinusoids.sample(generator=generator(), **a),
        {"tasks": 2, "shots": 3, "queries": 4},
    ),
    "sinusoids.network": (sinusoids.network, {"seed": 0, "width": 4}),
    "meta_train": (sinusoids.meta_train, {"method": "maml", "steps": 1, "seed": 0}),
    "meta.train": (
        lambda lr, decay_steps: meta.train(
            net := sinusoids.network(0, 4), sinusoids.loss_of("maml", net), [SINES] * 3, lr,
            decay_steps=decay_steps,
        ),
        {"lr": 0.01, "decay_steps": 3},
    ),
    "loss_of": (
        lambda method: sinusoids.loss_of(method, sinusoids.network(0, 4))(SINES),
        {"method": "joint"},
    ),
    "largest_share": (tasks.largest_share, {"labels": Y}),
    "few_shot": (
        with_task(lambda task, shots: tasks.few_shot(task, shots, generator())),
        {**parts("train_images", "train_labels"), "shots": 1},
    ),
    "downstream_parts": (tasks.downstream_parts, {"split": 1}),
    "stratified": (
        lambda **a: photos.stratified(generator=generator(), **a), {"labels": Y, "share": 0.5},
    ),
    "labels_of": (data.labels_of, {"positions": Y}),
    "simulate": (
        theory.simulate,
        {
            "dim": 10, "rank": 2, "samples": 8, "subspace_dim": 4, "feature_error": 0.1,
            "head_scale": 0.3, "seed": 0, "steps": 5,
        },
    ),
    "final_losses": (
        lambda steps: theory.final_losses(PROBLEM, [PROBLEM.B0], steps), {"steps": 5},
    ),
    "recorded": (theory.recorded, {"steps": 5, "points": 10}),
    "span_of": (theory_model.span_of, {"X": X.double().numpy()}),
    "cosine_outside": (theory_bound.cosine_outside, {"B0": FRAME[:1], "span": FRAME[1:2]}),
    "misalignment": (theory_bound.misalignment, {"v0": THETA, "v_star": THETA[::-1].copy()}),
    "stated": (
        theory_bound.stated,
        {"k": 2, "cosine": 0.5, "phi": 0.5, "norm": 1.0, "error": 0.1},
    ),
    "provable": (
        theory_bound.provable,
        {"cosine": 0.5, "phi": 0.5, "norm": 1.0, "error": 0.1, "imbalance": 0.0},
    ),
    "landscape": (
        landscape.landscape, {"theta": THETA, "steps": 2, "lr": 0.1, "points": 5},
    ),
    "minimiser": (landscape.minimiser, {"steps": 2, "lr": 0.1}),
    "landscape.values": (landscape.values, {"theta": THETA, "steps": 2, "lr": 0.1}),
    "project": (
        lambda image, text, **a: projections.project(
            projections.Pairs(image, text, Y), lambda i, t: contrastive.info_nce(i, t, 0.1), **a
        ),
        {**IMAGE_TEXT, "steps": 2, "batch": 4, "dim": 2, "lr": 0.01, "seed": 0},
    ),
    "strength": (mismatch.strength, {"amount": 1.0}),
    "resize": (mismatch.resize, {"images": IMAGES, "size": 5}),
    "difference_of_confidences": (
        lambda confidence, right, elsewhere: proxies.difference_of_confidences(
            answers_of(confidence, right), elsewhere
        ),
        {**ANSWERS, "elsewhere": CONFIDENCE[::-1].copy()},
    ),
    "average_thresholded_confidence": (
        lambda confidence, right, elsewhere: proxies.average_thresholded_confidence(
            answers_of(confidence, right), elsewhere
        ),
        {**ANSWERS, "elsewhere": CONFIDENCE[::-1].copy()},
    ),
    "accuracy_line": (
        proxies.accuracy_line,
        {"known": np.array([0.5, 0.6, 0.8]), "elsewhere": np.array([0.3, 0.5, 0.6])},
    ),
    "over_concepts": (zero_shot.over_concepts, {"hits": Y == 1, "concept": Y}),
    "half_size": (data.half_size, {"images": IMAGES}),
    "class_plane": (
        distortion.class_plane, {"features": X.numpy(), "labels": Y.numpy()},
    ),
    "distortion.Setting": (
        distortion.Setting,
        {
            "id_style": "noto", "ood_style": "blob", "shots": 3, "ft_lr": 0.01, "head": "zero",
            "head_scale": 1.0, "lp_ft_lr": 0.01, "steps": 5,
        },
    ),
    "storage.numbers": (
        lambda method, width: storage.numbers(method, storage.BACKBONES["this lab's ViT"], width),
        {"method": "lora", "width": 2},
    ),
    "megabytes": (
        lambda **a: storage.megabytes(backbone=storage.BACKBONES["this lab's ViT"], **a),
        {"method": "lora", "width": 2, "tasks": 3, "precision": 2},
    ),
    "draw_accuracies": (
        lambda x, y, n, strength, draws: descent.draw_accuracies(
            descent.Embedded(x, y, X2.double(), Y), n, strength, draws, generator()
        ),
        {"x": X.double(), "y": Y, "n": 3, "strength": 0.1, "draws": 2},
    ),
    "first_try": (
        lambda probe, scratch: advice.first_try({"probe": probe, "scratch": scratch}),
        {"probe": [0.5, 0.6, 0.7], "scratch": [0.4, 0.3, 0.9]},
    ),
    "trap_task": (invariance.trap_task, {"question": "colour", "seed": 1}),
    "trap_answers": (invariance.trap_answers, {"question": "shape"}),
    "style_shift": (
        tasks.style_shift,
        {"id_styles": ("noto",), "ood_styles": ("blob",), "classes": ("plant",), "size": 32},
    ),
    "subpopulation_shift": (
        tasks.subpopulation_shift, {"styles": ("noto",), "classes": ("animal", "plant")},
    ),
    "data.load": (data.load, {"styles": ("noto",), "parts": ("test",), "size": 32}),
    "of": (lambda positions: EMOJI.of(positions), {"positions": [3, 5]}),
    "drawn_in": (lambda styles: EMOJI.drawn_in(*styles), {"styles": ["noto"]}),
    "encoders.load": (encoders.load, {"name": "clip-vit"}),
    "fewshot.load": (fewshot.load, {"name": "maml"}),
    "TextEncoder": (lambda captions: TEXT(captions), {"captions": ["a cat", "zorple"]}),
    "unknown": (TEXT.unknown, {"caption": "a dog"}),
    "Config": (
        pretrain.Config,
        {
            "method": "clip", "architecture": "vit", "steps": 3, "batch": 4, "lr": 0.1,
            "weight_decay": 0.1, "warmup": 0.1, "temperature": 0.2,
        },
    ),
    "learning_rate": (
        lambda step, **a: pretrain.learning_rate(pretrain.Config(**a), step),
        {"step": 1, "steps": 3, "lr": 0.1, "warmup": 0.1},
    ),
    "Schedule": (
        training.Schedule,
        {"steps": 3, "batch": 4, "optimizer": "sgd", "momentum": 0.9, "record_every": 2},
    ),
    "features": (lambda images: training.features(CONV, images), {"images": IMAGES}),
    "features by a transformer": (
        lambda images: training.features(VIT, images), {"images": IMAGES},
    ),
    "accuracy": (
        lambda images, labels: training.accuracy(
            training.new_classifier(CONV, 3, generator()), tasks.Examples(images, labels)
        ),
        {"images": IMAGES, "labels": Y},
    ),
    "new_classifier": (
        lambda classes: training.new_classifier(CONV, classes, generator()), {"classes": 3},
    ),
    "linear_probe": (
        with_task(lambda task, strengths: probe.linear_probe(CONV, task, strengths)),
        {**LEARN, "strengths": [0.1, 1.0]},
    ),
    "fine_tune": (
        with_task(lambda task, lr: transfer.fine_tune(CONV, task, lr, generator(), QUICK)),
        {**LEARN, **parts("test_images", "test_labels"), "lr": 0.01},
    ),
    "from_scratch": (
        with_task(lambda task, lr: transfer.from_scratch(CONV, task, lr, generator(), QUICK)),
        {"train_images": IMAGES, "lr": 0.01},
    ),
    "lp_ft": (
        with_task(lambda task, lr: transfer.lp_ft(CONV, task, lr, generator(), QUICK)),
        {"train_images": IMAGES, "train_labels": Y, "lr": 0.01},
    ),
    "early_stopped": (
        with_task(
            lambda task, lr, every: transfer.early_stopped(
                training.new_classifier(CONV, 3, generator()), task, lr, generator(), QUICK, every
            )
        ),
        {"validation_images": IMAGES, "lr": 0.01, "every": 1},
    ),
    "interpolate": (
        lambda alpha: transfer.interpolate(
            *(training.new_classifier(CONV, 3, generator(i)) for i in (0, 1)), alpha
        ),
        {"alpha": 0.5},
    ),
    "l2_sp": (
        lambda strength: training.fit(
            training.new_classifier(CONV, 3, generator()), TASK, 0.01, generator(), QUICK,
            penalty=transfer.l2_sp(CONV, strength),
        ),
        {"strength": 0.1},
    ),
    "in_distribution": (
        with_task(
            lambda task: under_shift.in_distribution(
                training.new_classifier(CONV, 3, generator()), task
            )
        ),
        parts("validation_images", "validation_labels"),
    ),
    "by_score": (
        lambda **a: evaluate.by_score(ROWS, **a),
        {"methods": ("a", "b"), "shots": "5", "scores": ("id",)},
    ),
    "evaluate.lead": (
        lambda **a: evaluate.lead(ROWS, **a),
        {"one": "a", "two": "b", "shots": "5", "scores": ("id",)},
    ),
    "results.scores": (
        lambda **a: results.scores(ROWS, **a), {"shift": "s", "method": "a", "score": "id"},
    ),
    "results.lead": (
        lambda **a: results.lead(ROWS, **a),
        {"shift": "s", "method": "a", "other": "b", "score": "id"},
    ),
    "against_rate": (
        lambda **a: results.against_rate(ROWS, **a), {"shift": "s", "method": "a", "score": "id"},
    ),
    "networks": (lambda **a: results.networks(ROWS, **a), {"shift": "s", "method": "a"}),
    "values_of": (lambda column: tables.values_of(ROWS, column), {"column": "method"}),
    "hits_of": (
        lambda prompts, part: zero_shot.hits_of(GALLERY, prompts, part),
        {"prompts": data.class_names(), "part": "validation"},
    ),
    "zero_shot.accuracy": (
        lambda prompts, part: zero_shot.accuracy(GALLERY, prompts, part),
        {"prompts": data.class_names(), "part": "validation"},
    ),
    "with_corruptions": (
        lambda kind, severities: corruptions.with_corruptions(TASK, kind, generator(), severities),
        {"kind": "noise", "severities": [1, 5]},
    ),
    "who_drew_it": (
        lambda **a: tasks.who_drew_it(**a),
        {"classes": ("plant",), "ood_classes": ("animal",), "split": 0},
    ),
    "sample_episode": (
        lambda **a: tasks.sample_episode(EMOJI, generator=generator(), **a),
        {
            "ways": 3, "shots": 1, "queries": 1, "support_styles": ("noto", "blob"),
            "query_styles": ("noto", "blob"),
        },
    ),
    "cosine_similarities": (contrastive.cosine_similarities, {"a": X, "b": X2}),
    "attraction_only": (projections.attraction_only, IMAGE_TEXT),
    "contraction": (landscape.contraction, {"steps": 2, "lr": 0.1}),
    "curvature": (landscape.curvature, {"steps": 2, "lr": 0.1}),
    "best_rate": (
        lambda rates: transfer.best_rate(
            lambda lr: transfer.fine_tune(CONV, TASK, lr, generator(), QUICK), rates
        ),
        {"rates": [0.01, 0.1]},
    ),
    "wise_ft": (
        lambda alpha: transfer.wise_ft(
            *(training.Fit(training.new_classifier(CONV, 3, generator(i)), 0.5) for i in (0, 1)),
            TASK, alpha,
        ),
        {"alpha": 0.5},
    ),
    "report": (
        lambda images, labels: under_shift.report(NETWORK, KNOWN, tasks.Examples(images, labels)),
        {"images": IMAGES, "labels": Y},
    ),
    "adjust_brightness": (
        lambda factor: color.adjust_brightness(FLOATS, factor), {"factor": AMOUNTS},
    ),
    "adjust_contrast": (lambda factor: color.adjust_contrast(FLOATS, factor), {"factor": AMOUNTS}),
    "adjust_saturation": (
        lambda factor: color.adjust_saturation(FLOATS, factor), {"factor": AMOUNTS},
    ),
    "adjust_hue": (lambda turns: color.adjust_hue(FLOATS, turns), {"turns": AMOUNTS}),
    "color_matrices": (
        color.color_matrices,
        {
            "brightness": AMOUNTS, "contrast": AMOUNTS, "saturation": AMOUNTS, "turns": AMOUNTS,
            "means": AMOUNTS,
        },
    ),
    "turned": (
        theory_model.turned, {"frame": FRAME, "rank": 2, "error": 0.1},
    ),
    "lower_bound": (
        theory_bound.lower_bound,
        {
            "B0": FRAME[:1], "v0": THETA[:1], "v_star": THETA[1:], "span": FRAME[1:2],
            "error": 0.1, "imbalance": 0.0,
        },
    ),
    "episodes": (
        lambda **a: evaluate.episodes(EPISODES, **a), {"method": "a", "setting": "x", "shots": 5},
    ),
    "few_shot_cells": (
        lambda methods: evaluate.few_shot_cells(EPISODES, methods), {"methods": ["a", "b"]},
    ),
    "by_seed": (
        lambda score, method: tables.by_seed(ROWS, score, method=method),
        {"score": "id", "method": "a"},
    ),
    "without": (
        lambda blocks: adapters.without(VIT, blocks), {"blocks": (0, 1)},
    ),
    "objective": (
        lambda lr, steps, **a: meta.objective(
            meta.GradientDescent(NET, lr, steps, F.cross_entropy), batch_of(**a), F.cross_entropy
        ),
        {**TASKS, "lr": 0.1, "steps": 2},
    ),
    "stack_weights": (
        lambda tasks: batched.stack_weights(NET, tasks), {"tasks": 2},
    ),
    "sinusoids.batches": (
        lambda **a: list(sinusoids.batches(**a)), {"steps": 1, "tasks": 2, "shots": 3, "seed": 0},
    ),
    "words": (text.words, {"caption": "a cat"}),
    "pieces": (text.pieces, {"caption": "a cat"}),
    "make_vocabulary": (text.make_vocabulary, {"captions": ["a cat", "red heart"]}),
    "compute_theory": (
        lambda **a: two_layer.compute_theory(sweep=lambda *_: np.zeros((3, 8)), **a),
        {
            "feature_error": 0.1, "head_scale": 0.3, "subspace_dim": 4, "samples": 8, "seed": 0,
        },
    ),
}  # fmt: skip
# What an error may name in place of an argument: whatever these are passed on to, or belong to.
ALSO: dict[str, list[str]] = {
    "paired_difference": ["values"],
    "first_try": ["values"],
    "over_concepts": ["values"],
    "few_shot_cells": ["method"],
    "lower_bound": ["phi", "norm"],
    "objective": ["inner_lr", "inner_steps"],
    "strength": ["rotate", "zoom", "shift"],
    "RidgeHead": ["support or query"],
    "LogisticHead": ["support or query"],
    "Prototypes": ["support"],
    "fewshot.accuracies": ["support"],
    "accuracies_by_step": ["inner_lr"],
    "errors_after": ["inner_lr"],
    "linear_probe": ["task", "images"],
    "fine_tune": ["task", "images"],
    "best_rate": ["lr"],
    "values_of": ["name"],
    "from_scratch": ["images"],
    "lp_ft": ["task", "images"],
    "early_stopped": ["images"],
    "in_distribution": ["images"],
    "style_shift": ["styles"],
    "few_shot": ["task"],
    "l2_sp": ["loss", "diverged"],
}
REPLACED = (Tensor, np.ndarray, str, list, tuple, int, float)


@pytest.mark.parametrize("name", CASES)
def test_good_input_has_a_finite_answer(name: str) -> None:
    function, good = CASES[name]
    assert is_finite(function(**good))


@pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:__array__ implementation")
@pytest.mark.parametrize("name", CASES)
@cases(5, long=2000)  # there are about 50 mistakes an argument, and as many functions as names
@given(drawn=st.data())
def test_a_mistake_is_named_or_has_a_finite_answer(name: str, drawn: st.DataObject) -> None:
    function, good = CASES[name]
    argument = drawn.draw(st.sampled_from([a for a in good if isinstance(good[a], REPLACED)]))
    kind, given_instead = drawn.draw(mistakes(good[argument]))
    try:
        result = function(**{**good, argument: given_instead})
    except PLAIN as error:
        is_named = any(known in str(error) for known in [*good, *ALSO.get(name, [])])
        assert is_named or kind != VALUE, f"{argument}: {error!r}"
    except FloatingPointError as error:
        assert any(known in str(error) for known in [*good, *ALSO.get(name, [])])
    else:
        assert is_finite(result), argument
