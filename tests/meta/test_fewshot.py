"""Few-shot emoji: episodes as batches, shipped weights, meta-training, the sweep, its figures."""

import csv
import sys

import pytest
import torch
import torch.nn.functional as F
from panels import check_every_control
from seeds import generator, seeded
from torch import nn

from labkit import data, explorers, meta, plots, sweeps
from labkit.meta import fewshot, figures, meta_train, sweep


@pytest.fixture(scope="module")
def episodes() -> meta.TaskBatch:
    emoji = data.load(parts="validation")
    return fewshot.sample(emoji, 30, 5, 1, 2, generator(3), fewshot.SETTINGS["within"])


@pytest.fixture
def few(episodes) -> meta.TaskBatch:
    return meta.TaskBatch(*(part[:6] for part in episodes))


def test_a_batch_of_episodes_has_images_and_labels(episodes) -> None:
    shapes = [tuple(part.shape) for part in episodes]
    assert shapes == [(30, 5, 3, 32, 32), (30, 5), (30, 10, 3, 32, 32), (30, 10)]
    assert episodes.support_x.dtype == torch.float32 and 0 <= episodes.support_x.min()
    assert 0.9 < episodes.support_x.max() <= 1


def test_episodes_are_of_the_networks_type_whatever_torch_s_default(few) -> None:
    size = (data.load(parts="validation"), 6, 5, 1, 2, generator(3), fewshot.SETTINGS["within"])
    torch.set_default_dtype(torch.float64)
    try:
        found = fewshot.sample(*size)
        right = fewshot.accuracies(fewshot.maml(fewshot.load("maml")), found)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found.query_x, few.query_x) and right.mean() > 0.4


@pytest.mark.parametrize("name", fewshot.META_TRAINED)
def test_meta_trained_weights_know_concepts_they_never_saw(name: str, episodes) -> None:
    def accuracy(model: nn.Sequential) -> float:
        use = fewshot.maml(model) if name == "maml" else meta.Prototypes(model.body)
        return fewshot.accuracies(use, episodes).mean().item()

    random = seeded(lambda: fewshot.network(24))
    assert accuracy(fewshot.load(name)) > max(0.4, accuracy(random) + 0.05)


def test_meta_training_repeats_and_writes_weights_with_their_config(tmp_path, monkeypatch) -> None:
    command = ["meta_train", "prototypes", "--steps", "2", "--tasks", "2", "--every", "1"]
    contents = []
    for run in ("one", "two"):
        out = tmp_path / run
        monkeypatch.setattr(sys, "argv", [*command, "--out", str(out)])
        meta_train.main()
        contents.append((out / "prototypes.safetensors").read_bytes())
        rows = list(csv.reader((out / "prototypes.csv").read_text().splitlines()))
        assert rows[0] == ["step", "loss", "validation"]
        assert [row[0] for row in rows[1:]] == ["1", "2"]
    assert contents[0] == contents[1] and b'\\"tasks\\": 2' in contents[0]


@pytest.mark.parametrize(
    ("option", "number", "accepted"),
    [
        ("--steps", 0, "1 or more"),
        ("--every", 0, "1 or more"),
        ("--tasks", 0, "1 to 1000"),
        ("--tasks", 9999999999, "1 to 1000"),
    ],
)
def test_the_command_names_a_wrong_number_and_ends(
    monkeypatch, capsys, option, number, accepted
) -> None:
    monkeypatch.setattr("sys.argv", ["meta_train", "maml", option, str(number)])
    with pytest.raises(SystemExit, match="2"):
        meta_train.main()
    said = f"error: {option[2:]}: got {number}, accepted: {accepted}"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("method", fewshot.META_TRAINED)
def test_meta_training_lowers_the_loss_and_only_validates_on_downstream_concepts(
    method, monkeypatch, tmp_path
) -> None:
    asked, load = [], data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: asked.append(k) or load(*a, **k))
    config = meta_train.MetaTraining(method, steps=12, tasks=4, width=8, lr=0.01)
    losses = meta_train.meta_train(config, 12, tmp_path)
    assert len(losses) == 12 and sum(losses[-4:]) < sum(losses[:4])
    assert asked == [{"parts": "upstream"}, {"parts": "validation"}]


def test_the_episode_viewer_follows_every_control_and_waits_with_its_answers() -> None:
    panel = explorers.episode_viewer()
    assert "Answers and truth" not in panel.alt
    assert panel.result.title == "You first, then MAML, 3 steps"
    check_every_control(panel)
    panel.controls["reveal"].value = True
    assert "Answers and truth" in panel.alt and "right" in panel.result.title


def test_letters_are_clicked_typed_taken_back_and_counted_beside_the_model_s(pixel_of) -> None:
    panel = explorers.episode_viewer()
    panel.controls["shots"].value = 3
    for query, letter in ((0, "C"), (6, "E"), (0, "C"), (1, "A")):
        left, top = figures.query_corner(query, shots=3)
        place = left + (ord(letter) - 64.5) * figures.SIZE / 5, top + figures.SIZE + 10
        panel.picture.clicked = [len(panel.values["guesses"]), *pixel_of(panel, 0, *place)]
    assert panel.values["guesses"] == "?A????E" and "guesses: ? A ? ? ? ? E" in panel.alt
    assert panel.result.title == "You have named 2 of 10, then MAML, 3 steps"
    right = panel.result.answers
    panel.controls["guesses"].value = "".join(right[:9]).lower() + "?zzz"  # the last one skipped
    assert panel.result.mine == [*right[:9], ""] and "Answers" not in panel.alt
    panel.controls["reveal"].value = True
    model = sum(map(str.__eq__, panel.result.guesses, right))
    assert panel.result.title == f"You 9, MAML {model} of 10 right" and "You 9" in panel.alt
    panel.picture.clicked = [99, *pixel_of(panel, 0, *place)]
    assert panel.result.right(panel.result.mine) == 9, "nobody guesses after the answer"
    panel.controls["episode"].value += 1
    assert not any(panel.result.mine) and not panel.result.revealed, "another episode, new letters"


def test_the_viewer_s_pictures_are_what_the_model_saw() -> None:
    """Drawn at two sizes from one seed; averaged down, one is the other."""
    emoji, seen = (data.load(parts="test"), data.load(parts="test", size=64)), []

    def answer(batch: meta.TaskBatch, steps: int) -> torch.Tensor:
        seen.append(batch)
        return batch.query_y[0]

    shown = explorers.compute_episode(emoji, answer, "MAML", 4, 2, "across", 3, "", True)
    small = F.avg_pool2d(torch.from_numpy(shown.query) / 255, 2)
    assert torch.allclose(small, seen[0].query_x[0], atol=0.01)
    assert shown.guesses == shown.answers and all(mark.endswith("✓") for mark in shown.marks)


@pytest.mark.parametrize(("method", "choice"), [("prototypes", None), ("maml_head", 1)])
def test_the_shipped_table_begins_as_the_sweep_computes_it(method, choice, monkeypatch) -> None:
    monkeypatch.setitem(sweep.EPISODES, "test", 50)
    found = sweep.measure(method, choice, "test", "across", 5)
    shipped = sweeps.read("fewshot").query("setting == 'across' and shots == 5")
    shipped = shipped.sort_values("episode")[method][:50]
    assert found.tolist() == pytest.approx(shipped.tolist(), abs=1e-3)


def test_a_sweep_s_rows_are_numbers(monkeypatch) -> None:
    monkeypatch.setattr(sweep, "EPISODES", {"validation": 2, "test": 2})
    monkeypatch.setattr(sweep, "CHUNK", 2)
    rows = sweep.test("within", 1)
    assert [list(row) for row in rows] == 2 * [["episode", "concepts", *sweep.CONTENDERS]]
    right = [row[method] for row in rows for method in sweep.CONTENDERS]
    assert all(isinstance(share, float) and 0 <= share <= 1 for share in right)


@pytest.fixture(scope="module")
def cells():
    wide, by = sweeps.read("fewshot"), ["setting", "shots", "method"]
    assert (wide.groupby(by[:2])["episode"].nunique() == 600).all()
    about = ["setting", "shots", "episode", "concepts"]
    long = wide.melt(about, list(plots.FEW_SHOT), "method", "accuracy")
    return sweeps.intervals(long, "accuracy", by).loc[["within", "across"]]


def test_every_cell_is_drawn_and_told_beside_the_guesses(cells) -> None:
    assert len(cells) == 2 * 2 * len(plots.FEW_SHOT)
    fig, axes = plots.figure(columns=2)
    plots.draw_few_shot(axes, cells, 0.2, {"prototypes": 0.7})
    for ax, setting in zip(axes, ("within", "across"), strict=True):
        here = cells.loc[setting]["mean"]
        name = plots.FEW_SHOT[here.loc[1].idxmax()].name
        assert ax.get_title("left") == f"{setting.capitalize()} styles, best at 1 shot:\n{name}"
        dots = {line.get_label(): line.get_xdata() for line in ax.lines}
        for method, look in plots.FEW_SHOT.items():
            means = [here[shots, method] for shots in (1, 5)]
            assert dots[look.name].tolist() == means
    guess = axes[0].lines[-1]
    row = next(x for x in axes[0].lines if x.get_label() == "prototypes, meta-trained")
    assert guess.get_xydata().tolist() == [[0.7, row.get_ydata()[0]]]
    assert guess.get_markerfacecolor() == "none"
    told = plots.describe_few_shot(cells)
    assert told.count("%") == 1 + len(cells) and "across styles, 1 shot: logistic head" in told


def test_titles_follow_the_numbers(cells) -> None:
    fig, axes = plots.figure(columns=2)
    plots.draw_few_shot(axes, cells.assign(mean=1 - cells["mean"]), 0.2, {})
    assert all(ax.get_title("left").endswith("from scratch") for ax in axes)


@pytest.mark.parametrize("looks", [plots.FEW_SHOT, plots.SINUSOIDS])
def test_looks_are_distinct(looks) -> None:
    assert len({look.name for look in looks.values()}) == len(looks)
    assert len({look[1:] for look in looks.values()}) == len(looks)
