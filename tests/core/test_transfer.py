"""Recipes: what each may look at, change and remember, on a small task of coloured noise."""

import copy
import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from seeds import generator, seeded
from sklearn.linear_model import LogisticRegression
from torch import nn

from labkit import layers, optimizers, tasks, training, transfer
from labkit.augment import Augmentation
from labkit.encoders import ConvEncoder, TinyEncoder, VisionTransformer, standardise
from labkit.tasks import Examples, Task, few_shot
from labkit.transfer import Fit, Schedule, fine_tune, fit, from_scratch, linear_probe

QUICK = Schedule(steps=3, batch=8, record_every=0)


def make_task(classes: int = 3, flips: float = 0.0) -> Task:
    """The toy task in larger pictures, with some wrong labels, and its negatives as a shift."""

    def changed(examples: Examples, seed: int) -> Examples:
        images, labels = examples.at(examples.labels < classes)
        wrong = torch.rand(len(labels), generator=generator(seed)) < flips
        return Examples(images, torch.where(wrong, (labels + 1) % classes, labels))

    toy = tasks.toy(size=16)
    parts = {part: changed(getattr(toy, part), i) for i, part in enumerate(tasks.DOWNSTREAM)}
    test = parts["test"]
    ood = {"negative": Examples(255 - test.images, test.labels), "another": test}
    return Task("colour", toy.classes[:classes], **parts, ood=ood)


TASK = make_task()


def make_encoder(seed: int = 0) -> ConvEncoder:
    """A random encoder whose BatchNorm has statistics of its own."""
    encoder = seeded(lambda: ConvEncoder(width=4), seed)
    encoder(tasks.toy(50 + seed, size=16).train.images)
    return encoder.eval()


@pytest.fixture
def encoder() -> ConvEncoder:
    return make_encoder()


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# Features and accuracy


@pytest.mark.parametrize("training", [True, False])
def test_features_are_taken_in_evaluation_mode_and_leave_the_mode_alone(encoder, training) -> None:
    encoder.train(training)
    before = weights(encoder)
    one, many = (transfer.features(encoder, TASK.train.images, batch) for batch in (5, 100))
    assert torch.allclose(one, many, atol=1e-5) and not one.requires_grad
    assert equal(weights(encoder), before) and encoder.training == training


def test_accuracy_is_the_share_of_right_answers() -> None:
    class Red(nn.Module):
        def forward(self, images):
            return torch.tensor([1.0, 0.0, 0.0]).expand(len(images), 3)

    examples = Examples(TASK.test.images[:5], torch.tensor([0, 1, 0, 2, 0]))
    assert transfer.accuracy(Red(), examples) == pytest.approx(3 / 5)


def test_a_new_head_is_drawn_like_torch_s_and_only_from_the_generator(encoder) -> None:
    state = torch.get_rng_state()
    one, two = (transfer.new_classifier(encoder, 50, generator(1)).head for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert equal(weights(one), weights(two))
    values, bound = torch.cat([one.weight.flatten(), one.bias]), encoder.dim**-0.5
    assert values.abs().max() <= bound
    assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {"weight_decay": 0.1})],
)
def test_an_optimizer_without_compiler_takes_torch_s_steps(name: str, options: dict) -> None:
    ends = []
    for kind in (getattr(optimizers, name), getattr(torch.optim, name)):
        layer = training.new_classifier(TinyEncoder(), 3, generator()).head
        groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.3}]
        optimizer = kind(groups, lr=0.1, **options)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
        for _ in range(9):
            optimizer.zero_grad()
            layer.weight.sin().sum().add(layer.bias.cos().sum()).backward()
            optimizer.step()
            cosine.step()
        ends.append(weights(layer))
    assert equal(*ends)


TRAINS = """
import sys
from labkit import capstone, checks, explorers, plots, tasks, transfer
from labkit.encoders import TinyEncoder
from torch import Generator
for optimizer in ("sgd", "adam"):
    once = transfer.Schedule(1, optimizer=optimizer)
    transfer.lp_ft(TinyEncoder(), tasks.toy(), 0.1, Generator(), once)
    transfer.fine_tune(TinyEncoder(), tasks.toy(), 0.1, Generator(), once)
print(sorted({"sympy", "torch._dynamo", "torch._inductor", "torchvision"} & set(sys.modules)))
"""


def test_a_process_that_trains_loads_neither_torch_s_compiler_nor_torchvision() -> None:
    """They take two seconds and 80 MB of each kernel."""
    said = subprocess.run(
        [sys.executable, "-c", TRAINS], capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


# Linear probe


def probe_by_hand(train: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    """scikit-learn, cold-started, on features shifted and scaled by one number each."""
    z = (train - train.mean()) / train.std(ddof=1)
    return LogisticRegression(C=strength, tol=1e-8, max_iter=20_000).fit(z, labels)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_the_probe_is_scikit_learn_s_logistic_regression(encoder, classes, strength) -> None:
    task = make_task(classes, flips=0.2)
    train, test = (
        transfer.features(encoder, e.images).double().numpy() for e in (task.train, task.test)
    )
    regression = probe_by_hand(train, task.train.labels.numpy(), strength)
    probe = linear_probe(encoder, task, [strength])
    assert probe.chosen == strength
    with torch.no_grad():
        ours = probe.model(task.test.images).double().softmax(dim=1).numpy()
    theirs = regression.predict_proba((test - train.mean()) / train.std(ddof=1))
    assert np.abs(ours - theirs).max() < 2e-3
    clear = np.abs(np.diff(np.sort(theirs)[:, -2:])).ravel() > 5e-3
    assert clear.sum() > 10
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].all()


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_class_without_examples_is_never_predicted_and_harms_nothing_that_follows(absent) -> None:
    encoder = make_encoder()
    seen = TASK.train.labels != absent
    task = replace(TASK, train=TASK.train.at(seen))
    probe = linear_probe(encoder, task)
    everything = torch.cat([TASK.test.images, 255 - TASK.test.images, TASK.train.images])
    logits = transfer.features(probe.model, everything)
    assert logits.shape[1] == 3 and (logits.argmax(dim=1) != absent).all()
    assert (logits.softmax(dim=1)[:, absent] < 1e-4).all()
    assert transfer.accuracy(probe.model, task.train) > 0.8, "the others keep their own numbers"
    loss = nn.functional.cross_entropy(logits[:30], TASK.test.labels)
    assert loss < 30, "and a temperature can be fitted to that"
    tuned = fine_tune(encoder, TASK, 0.05, generator(), replace(QUICK, steps=40))
    halfway = transfer.wise_ft(probe, tuned, TASK, 0.5).model.head
    assert halfway.bias.abs().max() < 10, "half of -1e9 would never be predicted again"
    after = transfer.lp_ft(encoder, TASK, 0.01, generator(), QUICK, probe=probe).model.head
    assert after.bias.abs().max() < 20


@given(shots=st.integers(1, 4), seed=st.integers(0, 20))
@cases(15)
def test_a_weak_penalty_fits_a_few_shots_without_error(shots, seed) -> None:
    """At most 12 points in 16 dimensions can be separated, whatever the features."""
    few = few_shot(TASK, shots, generator(seed))
    assert transfer.accuracy(linear_probe(make_encoder(), few, [100.0]).model, few.train) == 1


def test_the_strength_is_chosen_on_validation_and_nothing_else(encoder) -> None:
    task = make_task(flips=0.3)
    probe = linear_probe(encoder, task)
    alone = {c: linear_probe(encoder, task, [c]).validation for c in transfer.PROBE_STRENGTHS}
    assert probe.validation == max(alone.values())
    assert probe.validation == transfer.accuracy(probe.model, task.validation)
    assert len(set(alone.values())) > 1, "the choice matters here"

    def shuffled(examples: Examples) -> Examples:
        order = torch.randperm(len(examples.labels), generator=generator(9))
        return Examples(examples.images, examples.labels[order])

    ood = {name: shuffled(examples) for name, examples in task.ood.items()}
    blind = linear_probe(encoder, replace(task, test=shuffled(task.test), ood=ood))
    assert blind.chosen == probe.chosen and equal(weights(blind.model), weights(probe.model))


def test_of_equally_good_strengths_the_simplest_is_chosen(encoder) -> None:
    one = replace(TASK, validation=TASK.train.at(torch.tensor([0])))  # right or wrong, no more
    right = [c for c in (0.1, 1.0, 10.0) if linear_probe(encoder, one, [c]).validation == 1]
    assert linear_probe(encoder, one, [10.0, 0.1, 1.0]).chosen == right[0]


def test_a_probe_is_ready_to_use_and_leaves_its_encoder_alone(encoder) -> None:
    before = weights(encoder)
    model = linear_probe(encoder, TASK).model
    assert not any(module.training for module in model.modules())
    transfer.accuracy(model, TASK.test)
    assert not any(module.training for module in model.modules()), "even after it was tested"
    assert equal(weights(encoder), before) and equal(weights(model.encoder), before)
    assert model.encoder is not encoder


# The fit loop


def run_fit(encoder, seed: int = 0, schedule: Schedule = QUICK, **arguments) -> Fit:
    model = transfer.new_classifier(encoder, 3, generator(seed))
    return fit(model, TASK, 0.05, generator(seed), schedule, **arguments)


def test_the_same_generator_gives_the_same_fit_and_another_a_different_one(encoder) -> None:
    augmented = replace(QUICK, augmentation=Augmentation(crop=0.3, flip=0.5), record_every=1)
    one = run_fit(encoder, 1, augmented)
    torch.rand(7)  # the global generator must not matter
    two = run_fit(encoder, 1, augmented)
    assert equal(weights(one.model), weights(two.model)) and one.history == two.history
    assert not equal(weights(one.model), weights(run_fit(encoder, 2, augmented).model))


def test_dropout_draws_by_the_generator_s_seed_and_torch_s_own_random_state_is_left() -> None:
    dropping = make_encoder()
    dropping.blocks.append(nn.Dropout(0.5))
    found = []
    for seed in (1, 1, 2):
        torch.rand(7)
        state = torch.random.get_rng_state()
        found.append(weights(run_fit(dropping, seed).model))
        linear_probe(dropping, TASK)
        assert torch.equal(torch.random.get_rng_state(), state)
    assert equal(*found[:2]) and not equal(*found[1:])


def test_dropout_of_another_seed_or_of_a_later_use_is_another() -> None:
    """The masks of seed 1 were those of seed 0, a step later."""

    class Dropping(TinyEncoder):
        masks = []

        def forward(self, images):
            mask = nn.functional.dropout(torch.ones(len(images), 6), training=self.training)
            self.masks.extend([mask] * self.training)
            return super().forward(images) * mask

    def masks(generator: torch.Generator) -> list[torch.Tensor]:
        Dropping.masks.clear()
        fine_tune(Dropping(), tasks.toy(), 0.1, generator, QUICK)
        return list(Dropping.masks)

    used = generator(0)
    drawn = [masks(used), masks(used), masks(generator(1)), masks(generator(2))]
    for one, two in itertools.combinations(itertools.chain(*drawn), 2):
        assert not torch.equal(one, two)
    assert all(map(torch.equal, masks(generator(1)), drawn[2]))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_first_step_is_the_optimizer_s(encoder, optimizer) -> None:
    """SGD's is lr * gradient; Adam's lr * its sign (Kingma & Ba 2015, up to epsilon).

    With the whole training set as its batch, the gradient is known.
    """
    model = transfer.new_classifier(encoder, 3, generator()).train()
    start = copy.deepcopy(model)
    nn.functional.cross_entropy(start(TASK.train.images), TASK.train.labels).backward()
    schedule = Schedule(steps=1, batch=30, optimizer=optimizer, record_every=0)
    fit(model, TASK, 0.1, generator(), schedule)
    for new, old in zip(model.parameters(), start.parameters(), strict=True):
        if optimizer == "sgd":
            assert torch.allclose(new, old - 0.1 * old.grad, atol=1e-5)
        else:
            clear = old.grad.abs() > 1e-4
            expected = (old - 0.1 * old.grad.sign())[clear]
            assert torch.allclose(new[clear], expected, atol=1e-4)


@pytest.mark.parametrize("times", [0.5, 1.0, 30.0])
def test_a_head_may_learn_faster_than_its_encoder(encoder, times) -> None:
    """In the first step gradients are equal: the head's step is `times` as long, the rest equal."""
    schedule = Schedule(steps=1, batch=8, record_every=0)
    start = weights(training.new_classifier(encoder, 3, generator()))
    plain, fast = (
        weights(run_fit(encoder, schedule=replace(schedule, head_times=factor)).model)
        for factor in (1.0, times)
    )
    for name, origin in start.items():
        expected = plain[name] - origin
        if name.startswith("head."):
            expected = times * expected
        torch.testing.assert_close(fast[name] - origin, expected, rtol=1e-4, atol=1e-6)


def test_training_learns_the_task(encoder) -> None:
    model = transfer.new_classifier(encoder, 3, generator())
    before = transfer.accuracy(model, TASK.validation)
    after = fit(model, TASK, 0.05, generator(), Schedule(steps=40, batch=12, record_every=0))
    assert after.validation > max(before, 0.6)
    assert after.validation == transfer.accuracy(after.model, TASK.validation)
    assert not any(module.training for module in after.model.modules())


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(4, 2, [0, 2, 4]), (5, 2, [0, 2, 4, 5]), (2, 5, [0, 2]), (3, 0, []), (1, 1, [0, 1])],
)
def test_the_history_is_recorded_at_the_start_the_end_and_between(
    encoder, steps, every, expected
) -> None:
    schedule = Schedule(steps=steps, batch=8, record_every=every)
    result = run_fit(encoder, schedule=schedule)
    assert [moment.step for moment in result.history] == expected
    if expected:
        last = result.history[-1]
        assert last.id == transfer.accuracy(result.model, TASK.test)
        assert last.ood == {k: transfer.accuracy(result.model, e) for k, e in TASK.ood.items()}


def test_recording_does_not_change_what_is_learned(encoder) -> None:
    one, two = (run_fit(encoder, schedule=replace(QUICK, record_every=n)) for n in (0, 1))
    assert equal(weights(one.model), weights(two.model))


def test_training_shows_its_network_after_every_step_and_progress_reaches_the_end(encoder) -> None:
    shares, told, snapshots = [], [], []
    model = transfer.new_classifier(encoder, 3, generator())
    result = run_fit(
        encoder,
        progress=lambda share, text: shares.append(share),
        on_step=lambda step, _: told.append(step),
    )
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
    start, steps = weights(model), []
    for step in transfer.train(model, TASK, 0.05, generator(), QUICK):
        steps.append(step)
        snapshots.append(weights(model))
    assert steps == told == [0, 1, 2, 3] and equal(snapshots[0], start)
    assert equal(snapshots[-1], weights(result.model))
    assert not any(equal(a, b) for a, b in itertools.pairwise(snapshots))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_norms_keep_their_statistics_and_still_learn(encoder, frozen) -> None:
    before = weights(encoder)
    after = weights(run_fit(encoder, schedule=replace(QUICK, freeze_norm=frozen)).model.encoder)
    statistics = [name for name in before if "running" in name or "tracked" in name]
    assert len(statistics) > 20
    for name in statistics:
        assert torch.equal(before[name], after[name]) == frozen, name
    assert not torch.equal(before["norm.weight"], after["norm.weight"])


def test_a_norm_without_weights_is_frozen_with_what_is_around_it() -> None:
    class Standardised(nn.Sequential):
        dim = 4

        def forward(self, images):
            return super().forward(standardise(images))

    encoder = Standardised(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)),
        nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
    model = layers.train_only(transfer.new_classifier(encoder, 3, generator()), "1")
    before = weights(model)
    fit(model, TASK, 0.1, generator(), QUICK)
    moved = {name for name, x in model.state_dict().items() if not torch.equal(x, before[name])}
    assert "encoder.1.0.running_mean" in moved
    assert all(name.startswith(("encoder.1", "head")) for name in moved)


@given(count=st.integers(1, 40), batch=st.integers(1, 12), seed=st.integers(0, 9))
@cases(40)
def test_every_row_is_seen_once_before_any_comes_again(count, batch, seed) -> None:
    schedule = Schedule(batch=batch)
    batches = list(itertools.islice(training._batches(count, schedule, generator(seed)), 2 * count))
    assert {len(rows) for rows in batches} == {min(batch, count)}
    stream = torch.cat(batches)
    for epoch in stream.split(count):
        assert len(epoch.unique()) == len(epoch)


# What goes wrong


def test_divergence_is_an_error_that_says_what_to_do(encoder) -> None:
    with pytest.raises(FloatingPointError, match=r"at step \d+: lower lr \(1e\+30\)"):
        fine_tune(encoder, TASK, 1e30, generator(), replace(QUICK, steps=20))


RECIPES = {
    "probe": lambda task: linear_probe(make_encoder(), task),
    "fine_tune": lambda task: fine_tune(make_encoder(), task, 0.1, generator(), QUICK),
    "from_scratch": lambda task: from_scratch(make_encoder(), task, 0.1, generator(), QUICK),
}
RECORDED = replace(QUICK, record_every=3)


def with_part(part: str, images=TASK.test.images, labels=TASK.test.labels) -> Task:
    return replace(TASK, **{part: Examples(images, labels)})


def labels(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers).repeat(30 // len(numbers))


FLOATS = TASK.test.images / 255
REFUSED = {
    "one class": (with_part("train", labels=labels(1)), "task.train: got examples of one class"),
    "unknown label": (with_part("train", labels=labels(0, 1, 9)), "task.train: got labels 0 to 9"),
    "negative label": (with_part("validation", labels=labels(-1, 1)), "task.validation: got label"),
    "test labels": (with_part("test", labels=labels(500, 501)), "task.test: got labels 500 to 501"),
    "too few labels": (with_part("test", labels=labels(0)[1:]), "task.test: got images "),
    "float labels": (with_part("train", labels=FLOATS[:, 0, 0, 0]), "task.train.labels: got t"),
    "bytes as floats": (with_part("train", 255 * FLOATS), "task.train.images: got floats from 0"),
    "standardised": (with_part("test", FLOATS * 4 - 2), "task.test.images: got floats from -2"),
    "nan": (with_part("validation", FLOATS / 0), "task.validation.images: got floats from"),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize(("task", "message"), REFUSED.values(), ids=REFUSED)
def test_what_nothing_can_be_learned_from_is_refused_before_any_work(recipe, task, message) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        recipe(task)


@pytest.mark.parametrize(
    ("images", "numbers", "message"),
    [
        (TASK.test.images, labels(500, 501, 502), ": got labels 500 to 502, accepted: 0 to 2"),
        (255 * FLOATS, labels(0, 1), ".images: got floats from 0"),
    ],
)
def test_ood_tests_are_checked_before_they_are_recorded(images, numbers, message) -> None:
    """Else each is classified at chance, in silence."""
    task, model = replace(TASK, ood={"far": Examples(images, numbers)}), classifier()
    before = weights(model)
    with pytest.raises(ValueError, match=rf"^task.ood\['far'\]{message}"):
        fit(model, task, 0.1, generator(), RECORDED)
    assert equal(weights(model), before), "before any work"
    with pytest.raises(ValueError, match=f"^examples{message}"):
        transfer.accuracy(model, task.ood["far"])


def classifier() -> training.Classifier:
    return transfer.new_classifier(make_encoder(), 3, generator())


@pytest.mark.parametrize("kind", ["uint8", "int32", "int16", "int64"])
@pytest.mark.parametrize("name", RECIPES)
def test_numpy_arrays_and_other_integers_are_converted(name, kind) -> None:
    """Labels of uint8 once chose rows as a mask does, and NumPy's failed in torch's words."""

    def changed(examples: Examples) -> Examples:
        backwards = examples.images.numpy()[:, ::-1].copy()[:, ::-1]  # strides that torch refuses
        return Examples(backwards, examples.labels.numpy().astype(kind))

    parts = {part: changed(getattr(TASK, part)) for part in ("train", "validation", "test")}
    task = replace(TASK, **parts, ood={"far": changed(TASK.test)})
    assert equal(weights(RECIPES[name](task).model), weights(RECIPES[name](TASK).model))
    assert fit(classifier(), task, 0.1, generator(), RECORDED).history[-1].ood["far"] >= 0
    assert (few_shot(task, 2, generator()).train.labels.bincount() == 2).all()


@pytest.mark.parametrize("images", [255 * FLOATS, FLOATS * 4 - 2])
def test_features_refuse_images_on_another_scale(encoder, images) -> None:
    with pytest.raises(ValueError, match=r"^images: got floats from .*accepted: uint8 in \[0, 255"):
        transfer.features(encoder, images)
    assert transfer.features(encoder, FLOATS * 1.0005).isfinite().all(), "rounding is no scale"
    assert transfer.features(nn.Identity(), 100 * FLOATS.flatten(1)).max() > 50, "nor are features"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("make", [make_encoder, lambda: TinyEncoder(16)], ids=["conv", "tiny"])
def test_recipes_train_encoders_of_other_types(make, dtype) -> None:
    encoder = make().to(dtype)
    augmented = replace(QUICK, augmentation=Augmentation(crop=0.3, color=0.2, flip=0.5))
    found = fine_tune(encoder, TASK, 1e-3, generator(), augmented)
    assert {p.dtype for p in found.model.parameters()} == {dtype} and found.validation >= 0
    probe = linear_probe(encoder, TASK)
    right = transfer.accuracy(probe.model, TASK.validation)
    assert right == pytest.approx(probe.validation, abs=0.1)


def test_recipes_train_under_another_default_type(encoder) -> None:
    expected = fine_tune(encoder, TASK, 1e-3, generator(), QUICK)
    torch.set_default_dtype(torch.float64)
    try:
        found = fine_tune(encoder, TASK, 1e-3, generator(), QUICK)
        assert equal(weights(found.model), weights(expected.model))
        fine_tune(ConvEncoder(width=4), TASK, 1e-3, generator(), QUICK)
    finally:
        torch.set_default_dtype(torch.float32)


# Fine-tuning and training from scratch


def test_fine_tuning_starts_from_the_encoder_and_does_not_change_it(encoder) -> None:
    before = weights(encoder)
    result = fine_tune(encoder, TASK, 1e-9, generator(), replace(QUICK, freeze_norm=True))
    assert equal(weights(encoder), before)
    # A tiny step is a tiny change.
    torch.testing.assert_close(weights(result.model.encoder), before, atol=1e-6, rtol=1e-5)
    moved = fine_tune(encoder, TASK, 0.1, generator(), QUICK).model.encoder
    assert not equal(weights(moved), before) and equal(weights(encoder), before)


def make_transformer(seed: int) -> VisionTransformer:
    return seeded(lambda: VisionTransformer(dim=8, depth=1, heads=2, patch=8, size=16), seed).eval()


@pytest.mark.parametrize("make", [make_encoder, make_transformer])
def test_from_scratch_remembers_nothing_and_leaves_torch_s_own_random_state(make) -> None:
    one, two = make(1), make(2)
    before, state = weights(one), torch.random.get_rng_state()
    assert not equal(before, weights(two))
    drawn = [weights(transfer.reinitialised(one, generator(seed))) for seed in (3, 3, 5)]
    assert equal(*drawn[:2]) and not equal(*drawn[1:])
    fits = [from_scratch(encoder, TASK, 0.05, generator(3), QUICK) for encoder in (one, two)]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert equal(*(weights(fit.model) for fit in fits))
    assert equal(weights(one), before)
    other = from_scratch(one, TASK, 0.05, generator(5), QUICK)
    assert not equal(weights(other.model), weights(fits[0].model))


def test_a_layer_that_cannot_be_reinitialised_is_named() -> None:
    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.zeros(3))

    message = r"^encoder: got 1 \(Shift\), accepted: layers that can be"
    with pytest.raises(ValueError, match=message):
        transfer.reinitialised(nn.Sequential(nn.Linear(3, 3), Shift()), generator())


def test_a_weight_below_a_norm_of_it_is_not_kept_in_silence() -> None:
    """`reset_parameters` writes the weight that is computed from it."""
    normed = nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 3)))
    with pytest.raises(ValueError, match=r"^encoder: got 0\.weight_orig, accepted"):
        transfer.reinitialised(normed, generator())


# Choosing a learning rate


def test_the_best_rate_on_validation_wins_and_a_diverged_one_loses() -> None:
    scores, tried = {0.1: 0.5, 1e30: None, 0.01: 0.8, 0.001: 0.7}, []

    def run(lr: float) -> Fit:
        tried.append(lr)
        if scores[lr] is None:
            raise FloatingPointError("diverged")
        return Fit(None, scores[lr], chosen=lr)

    best = transfer.best_rate(run, list(scores))
    assert (best.chosen, best.validation) == (0.01, 0.8) and tried == list(scores)
    with pytest.raises(FloatingPointError, match="rates: every one of .1e.30. diverged"):
        transfer.best_rate(run, [1e30])
    with pytest.raises(KeyError):  # other errors are not mistaken for divergence
        transfer.best_rate(run, [0.5])


class Impatient(LogisticRegression):
    """Gives up early where the penalty is weak."""

    enough = 0.1

    def fit(self, x, y):
        self.max_iter = 1000 if self.C <= self.enough else 1
        return super().fit(x, y)


@pytest.mark.parametrize("far", [0.0, 1e4, 1e6])
def test_features_in_double_precision_keep_it(far) -> None:
    """They were rounded before their mean was taken off."""

    class Far(TinyEncoder):
        def forward(self, images):
            return super().forward(images).double() * 1e-3 + far

    probe = linear_probe(Far(), tasks.toy())
    assert probe.validation == linear_probe(TinyEncoder(), tasks.toy()).validation
    assert probe.model.head.weight.dtype == torch.float64


def test_an_unconverged_probe_is_no_probe(encoder, monkeypatch) -> None:
    task = make_task(flips=0.3)
    expected = linear_probe(encoder, task, [0.01, 0.1])
    monkeypatch.setattr("labkit.transfer.LogisticRegression", Impatient)
    probe = linear_probe(encoder, task, [10.0, 0.1, 0.01, 1.0])
    assert probe.chosen == expected.chosen and equal(weights(probe.model), weights(expected.model))
    monkeypatch.setattr(Impatient, "enough", 0)
    with pytest.raises(ValueError, match="^strengths: got .*accepted: one for which the probe con"):
        linear_probe(encoder, task)


# Variants of fine-tuning


def trained(encoder, lr: float = 0.002, steps: int = 4) -> Fit:
    """Fine-tuned from the probe, far enough to differ."""
    return transfer.lp_ft(encoder, TASK, lr, generator(), replace(QUICK, steps=steps))


def test_lp_ft_starts_at_the_probe_and_leaves_it_and_the_encoder_alone(encoder) -> None:
    probe = linear_probe(encoder, TASK)
    before = weights(probe.model)
    frozen = replace(QUICK, freeze_norm=True)
    found = transfer.lp_ft(encoder, TASK, 1e-9, generator(), frozen, probe=probe)
    torch.testing.assert_close(weights(found.model), before, atol=1e-6, rtol=1e-5)
    moved = transfer.lp_ft(encoder, TASK, 0.002, generator(), QUICK, probe=probe)
    assert equal(weights(probe.model), before) and not equal(weights(moved.model), before)
    again = transfer.lp_ft(encoder, TASK, 0.002, generator(), QUICK)  # finds the probe itself
    assert equal(weights(again.model), weights(moved.model))


def test_lp_ft_keeps_the_norms_statistics_unless_told_otherwise(encoder) -> None:
    def statistics(encoder) -> dict:
        return {n: b for n, b in encoder.named_buffers() if "running" in n}

    frozen = transfer.lp_ft(encoder, TASK, 0.002, generator()).model.encoder
    free = transfer.lp_ft(encoder, TASK, 0.002, generator(), Schedule(steps=2)).model.encoder
    assert equal(statistics(frozen), statistics(encoder))
    assert not equal(statistics(free), statistics(frozen))


def test_interpolation_is_linear_in_every_weight(encoder) -> None:
    probe, end = linear_probe(encoder, TASK), trained(encoder)
    for alpha in (0.0, 0.3, 0.5, 1.0):
        middle = transfer.interpolate(probe.model, end.model, alpha).state_dict()
        for name, x in probe.model.state_dict().items():
            y = end.model.state_dict()[name]
            if x.is_floating_point():
                torch.testing.assert_close(middle[name], (1 - alpha) * x + alpha * y)


def test_wise_ft_ends_where_its_parents_are(encoder) -> None:
    probe, end = linear_probe(encoder, TASK), trained(encoder)
    for alpha, parent in ((0.0, probe), (1.0, end)):
        found = transfer.wise_ft(probe, end, TASK, alpha)
        answers = [transfer.features(fit.model, TASK.test.images) for fit in (found, parent)]
        torch.testing.assert_close(*answers)
        assert found.validation == parent.validation
    other = transfer.new_classifier(ConvEncoder(width=5), 3, generator())
    with pytest.raises(ValueError, match="^end: got other weights, accepted: those of start"):
        transfer.interpolate(probe.model, other, 0.5)


def test_l2_sp_is_half_the_squared_distance_and_holds_the_weights_back(encoder) -> None:
    penalty = transfer.l2_sp(encoder, strength=3.0)
    model = transfer.new_classifier(encoder, 3, generator())
    assert penalty(model) == 0
    with torch.no_grad():
        next(model.encoder.parameters()).add_(0.1)
    count = next(encoder.parameters()).numel()
    assert penalty(model).item() == pytest.approx(1.5 * 0.01 * count, rel=1e-4)

    def distance(strength: float) -> float:
        penalty = transfer.l2_sp(encoder, strength)
        found = transfer.lp_ft(encoder, TASK, 1e-4, generator(), QUICK, penalty=penalty)
        return 2 * transfer.l2_sp(encoder, 1.0)(found.model).item()

    assert distance(3000.0) < 0.9 * distance(0.0)
