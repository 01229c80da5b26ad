"""Few-shot emoji: episodes as batches, the shipped weights, the episode viewer, meta-training."""

from __future__ import annotations

import csv
import sys

import pytest
import torch
import torch.nn.functional as F
from panels import check_every_control
from torch import nn

from labkit import data, encoders, evaluate, explorers, meta, plots
from labkit.meta import fewshot, meta_train


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def episodes() -> meta.TaskBatch:
    emoji = data.load(parts="validation")
    return fewshot.sample(emoji, 30, 5, 1, 2, generator(3), fewshot.SETTINGS["within"])


def test_a_batch_of_episodes_has_images_and_labels(episodes) -> None:
    shapes = [tuple(part.shape) for part in episodes]
    assert shapes == [(30, 5, 3, 32, 32), (30, 5), (30, 10, 3, 32, 32), (30, 10)]
    assert episodes.support_x.dtype == torch.float32 and 0 <= episodes.support_x.min()
    assert 0.9 < episodes.support_x.max() <= 1


def test_features_in_place_of_images_give_the_same_episodes(episodes) -> None:
    emoji = data.load(parts="validation")
    means = emoji.images.float().mean(dim=(2, 3)) / 255  # (n, 3)
    features = data.Emoji(means, emoji.concept, emoji.style)
    drawn = fewshot.sample(features, 30, 5, 1, 2, generator(3), fewshot.SETTINGS["within"])
    assert torch.allclose(drawn.query_x, episodes.query_x.mean(dim=(3, 4)), atol=1e-5)
    assert torch.equal(drawn.query_y, episodes.query_y)


def test_the_network_is_small_and_can_be_batched() -> None:
    network = fewshot.network(width=8)
    x = torch.rand(2, 5, 3, 32, 32, generator=generator())
    stacked = meta.batched.forward(network, meta.batched.stack_weights(network, 2), x)
    assert torch.allclose(stacked, network(x.flatten(0, 1)).unflatten(0, (2, 5)), atol=1e-5)
    assert network.body(x[0]).shape == (5, 32)


@pytest.mark.parametrize("name", fewshot.WEIGHTS)
def test_meta_trained_weights_know_concepts_they_never_saw(name: str, episodes) -> None:
    model = fewshot.load(name)
    use = fewshot.maml(model) if name == "maml" else meta.Prototypes(model.body)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        random = fewshot.network(24)
    control = fewshot.maml(random) if name == "maml" else meta.Prototypes(random.body)
    trained, untrained = (fewshot.accuracies(a, episodes).mean() for a in (use, control))
    assert trained > max(0.4, untrained + 0.05)


def test_few_shot_weights_are_no_encoders() -> None:
    assert not {"maml", "prototypes"} & set(encoders.available())
    with pytest.raises(ValueError, match="name: got .*'clip'.*, accepted: maml, prototypes"):
        fewshot.load("clip")


def test_accuracies_by_step_are_those_of_the_algorithm(episodes) -> None:
    model = fewshot.load("maml")
    few = meta.TaskBatch(*(part[:6] for part in episodes))
    for only in ("", "head"):
        along = fewshot.accuracies_by_step(model, few, 2, only)
        for steps, accuracy in enumerate(along):
            right = fewshot.accuracies(fewshot.maml(model, steps, only), few).mean().item()
            assert accuracy == pytest.approx(right)


def test_head_only_is_descent_on_the_body_s_features(episodes) -> None:
    """Which is how the sweep computes it."""
    model = fewshot.load("maml")
    few = meta.TaskBatch(*(part[:6] for part in episodes))
    features = few._replace(
        support_x=meta.embed(model.body, few.support_x), query_x=meta.embed(model.body, few.query_x)
    )
    logits = fewshot.maml(model, 3, only="head")(*few[:2])(few.query_x)
    on_features = fewshot.maml(model.head, 3)(*features[:2])(features.query_x)
    assert torch.allclose(logits, on_features, atol=1e-4)


# Meta-training


def test_meta_training_repeats_and_writes_weights_with_their_config(tmp_path, monkeypatch) -> None:
    command = ["meta_train", "prototypes", "--steps", "2", "--tasks", "2", "--every", "1"]
    contents = []
    for run in ("one", "two"):
        out = tmp_path / run
        monkeypatch.setattr(sys, "argv", [*command, "--out", str(out)])
        meta_train.main()
        contents.append((out / "prototypes.safetensors").read_bytes())
        rows = list(csv.reader((out / "prototypes.csv").read_text().splitlines()))
        assert rows[0] == list(meta_train.COLUMNS) and [row[0] for row in rows[1:]] == ["1", "2"]
    assert contents[0] == contents[1] and b'\\"tasks\\": 2' in contents[0]


def test_meta_training_lowers_the_loss_of_both_methods() -> None:
    for method in meta_train.METHODS:
        losses: list[float] = []
        config = meta_train.Config(method, steps=12, tasks=4, width=8, lr=0.01)
        meta_train.run(config, lambda model, step, loss, losses=losses: losses.append(loss))
        assert len(losses) == 12 and sum(losses[-4:]) < sum(losses[:4])
    with pytest.raises(ValueError, match="method: got"):
        meta_train.run(meta_train.Config("reptile"), lambda *told: None)


def test_meta_training_never_sees_a_downstream_concept(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        meta_train.data, "load", lambda *a, load=data.load, **k: asked.append(k) or load(*a, **k)
    )
    next(meta_train.batches(meta_train.Config("maml", tasks=1)))
    assert asked == [{"parts": "upstream"}]


# The episode viewer


def test_the_episode_viewer_follows_every_control_and_waits_with_its_answers() -> None:
    panel = explorers.episode_viewer()
    assert "wait for your guess" in panel.alt and "?" in panel.result.marks
    check_every_control(panel)
    panel.controls["reveal"].value = True
    assert "Answers and truth" in panel.alt and "right" in panel.result.title


def test_the_viewer_s_pictures_are_what_the_model_saw() -> None:
    """Drawn at two sizes from one seed; averaged down, one is the other."""
    emoji = data.load(parts="test"), data.load(parts="test", size=64)
    seen = []

    def answer(batch: meta.TaskBatch, steps: int) -> torch.Tensor:
        seen.append(batch)
        return batch.query_y[0]

    shown = explorers.compute_episode(emoji, answer, "MAML", 4, 2, "across", 3, True)
    small = F.avg_pool2d(torch.from_numpy(shown.query) / 255, 2)
    assert torch.allclose(small, seen[0].query_x[0], atol=0.01)
    assert shown.guesses == shown.answers and all(mark.startswith("✓") for mark in shown.marks)


# The table


def test_cells_gather_episodes_into_intervals() -> None:
    rows = [
        {"setting": "within", "shots": "1", "episode": str(i), "maml": value, "scratch": "0.2"}
        for i, value in enumerate(("0.4", "0.6", "0.8"))
    ]
    maml, scratch = evaluate.few_shot_cells(rows, ["maml", "scratch"])
    assert maml.interval == evaluate.mean_interval([0.4, 0.6, 0.8])
    assert (maml.method, maml.setting, maml.shots) == ("maml", "within", 1)
    assert scratch.interval.mean == pytest.approx(0.2)


def test_the_shipped_table_is_shown_within_styles_first() -> None:
    """A sweep's table is sorted, and guesses about *within* are drawn into the first panel."""
    cells = evaluate.few_shot_cells(data.read_table("sweeps/fewshot.csv"), list(plots.FEW_SHOT))
    fig, axes = plots.figure(columns=2)
    plots.draw_table(axes, cells, chance=0.2)
    assert [ax.get_title("left").split(",")[0] for ax in axes] == ["Within", "Across styles"]


def test_the_table_shows_every_cell_once() -> None:
    cells = [
        evaluate.FewShotCell(method, setting, shots, evaluate.Interval(0.5, 0.4, 0.6))
        for method in plots.FEW_SHOT
        for setting in fewshot.SETTINGS
        for shots in (1, 5)
    ]
    fig, axes = plots.figure(columns=2)
    plots.draw_table(axes, cells, chance=0.2)
    for ax in axes:
        centres = [line for line in ax.lines if len(line.get_xdata()) == 1]
        assert len(centres) == 2 * len(plots.FEW_SHOT)
    assert plots.describe_table(cells).count("50%") == len(cells)


def test_the_sweep_has_600_episodes_in_every_cell() -> None:
    rows = data.read_table("sweeps/fewshot.csv")
    for setting in fewshot.SETTINGS:
        for shots in (1, 5):
            for method in plots.FEW_SHOT:
                assert len(evaluate.episodes(rows, method, setting, shots)) == 600


def test_identity_is_an_encoder_for_features() -> None:
    x = torch.randn(2, 3, 4, generator=generator())
    assert torch.equal(meta.embed(nn.Identity(), x), x)
