"""Pretraining: sees upstream concepts only, survives interruption, is the same on two processes."""

import csv
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from seeds import generator

from labkit import augment, data, text
from labkit.contrastive import pretrain
from labkit.contrastive.pretrain import Config
from labkit.contrastive.upstream import Entry, Upstream, draw_caption, list_icons
from labkit.weights import parse_tensors

CONV = Config(options={"width": 8}, steps=6, batch=8)  # six emoji, two icons
# BatchNorm normalises by the statistics of a process's own share, so that two processes cannot
# equal one. LayerNorm looks at one image at a time: here they must.
VIT = Config(architecture="vit", options={"dim": 16, "depth": 1, "heads": 2, "patch": 16}, batch=8)
each_method = pytest.mark.parametrize("method", pretrain.PRETRAININGS)


@pytest.fixture(scope="module")
def emoji() -> data.Emoji:
    return data.load(parts="upstream")


@pytest.fixture(scope="module")
def upstream(emoji) -> Upstream:
    return Upstream(emoji, data.load_icons())


@pytest.fixture
def loaded_once(emoji, monkeypatch) -> list:
    """Let `pretrain` reuse the images; returns what it asked for."""
    asked, icons = [], data.load_icons()

    def load(*args, **kwargs) -> data.Emoji:
        asked.append((args, kwargs))
        return emoji

    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(data, "load_icons", lambda: icons)
    return asked


class Interruption(Exception):
    pass


def watch_losses(monkeypatch, stop: int | None = None) -> list[tuple]:
    """The arguments of every loss that is computed, up to a power cut at step `stop`."""
    real, seen = pretrain.batch_loss, []

    def loss(model, images, entries, config, step):
        if step == stop:
            raise Interruption
        seen.append((model, images, entries, config, step))
        return real(*seen[-1])

    monkeypatch.setattr(pretrain, "batch_loss", loss)
    return seen


# What is seen


@given(seed=st.integers(0, 1000), size=st.integers(2, 64), icons=st.floats(0, 1))
@cases(25)
def test_a_batch_has_pictures_of_different_captions_as_they_are_drawn(
    upstream, seed, size, icons
) -> None:
    images, entries = upstream.draw(size, generator(seed), icons)
    of_icons = [entry for entry in entries if entry in upstream.icons]
    assert len(images) == len({id(entry) for entry in entries}) == size
    assert len(of_icons) == round(icons * size) and entries[size - len(of_icons) :] == of_icons
    for image, entry in zip(images, entries, strict=True):
        assert any(torch.equal(image, shown) for shown in upstream.images[entry.rows])
    again, _ = upstream.draw(size, generator(seed), icons)
    assert torch.equal(images, again)


def test_every_picture_has_one_caption_and_no_other(emoji, upstream) -> None:
    rows = torch.cat([entry.rows for entry in upstream.emoji + upstream.icons])
    assert torch.equal(rows.sort().values, torch.arange(len(upstream.images)))
    icons = data.load_icons()
    for entry in upstream.icons[::500]:
        assert {icons.captions[row - len(emoji)] for row in entry.rows.tolist()} == {entry.name}
    for entry in upstream.emoji[::100]:
        (place,) = emoji.concept[entry.rows].unique().tolist()
        concept = data.concepts()[place]
        assert (entry.name, entry.labels) == (concept.name, (concept.subgroup,))


def test_every_style_of_a_concept_is_drawn_and_every_concept_is_reached(emoji) -> None:
    few = Upstream(emoji.of(emoji.concept.unique()[:5]))
    drawn = torch.cat([few.draw(5, generator(seed))[0] for seed in range(200)])
    assert len(drawn.flatten(1).unique(dim=0)) == len(few.images.flatten(1).unique(dim=0))


def test_more_captions_than_there_are_cannot_be_drawn(upstream) -> None:
    count = len(upstream.emoji)
    assert len(upstream.draw(count, generator())[1]) == count
    with pytest.raises(ValueError, match=f"batch: got {count + 1} .* accepted: at most {count}"):
        upstream.draw(count + 1, generator())


def test_an_icon_s_labels_are_the_words_that_others_share() -> None:
    captions = ("red car", "blue car", "blue car", "blue")
    icons = data.Icons(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), captions)
    entries = list_icons(icons, first=10, least=2)
    assert [(e.name, e.rows.tolist()) for e in entries] == [
        ("red car", [10]), ("blue car", [11, 12]), ("blue", [13]),
    ]  # fmt: skip
    assert [e.labels for e in entries] == [
        ("icon: car",), ("icon: blue", "icon: car"), ("icon: blue",),
    ]  # fmt: skip
    shares = pretrain.label_shares(entries, ("icon: blue", "icon: car", "other"))
    assert shares.tolist() == [[0, 1, 0], [0.5, 0.5, 0], [1, 0, 0]]


UPSTREAM = [
    Entry(concept.name, concept.keywords, (concept.subgroup,), torch.arange(1))
    for concept in data.concepts()
    if concept.part == "upstream"
]


@given(concept=st.sampled_from(UPSTREAM), seed=st.integers(0, 1000))
def test_captions_are_made_of_the_concept_s_own_words(concept, seed) -> None:
    caption = draw_caption(concept, generator(seed))
    own = text.words(" ".join([concept.name, *concept.keywords]))
    assert caption and set(text.words(caption)) <= set(own)
    assert caption == draw_caption(concept, generator(seed))


def test_a_caption_is_the_name_alone_with_keywords_or_keywords_alone() -> None:
    concept = UPSTREAM[0]
    captions = {draw_caption(concept, generator(seed)) for seed in range(300)}
    assert concept.name in captions
    assert any(c.startswith(concept.name + " ") for c in captions)
    assert any(not c.startswith(concept.name) for c in captions)


def test_the_vocabulary_of_letters_is_that_of_upstream_captions() -> None:
    _, stored = pretrain.make_model(replace(CONV, text="letters"), UPSTREAM)
    captions = [" ".join([c.name, *c.keywords]) for c in UPSTREAM]
    assert set(stored["vocabulary"]) == {p for c in captions for p in text.pieces(c)}


@each_method
@pytest.mark.parametrize("icons", [0, 0.5])
def test_a_whole_run_sees_no_downstream_or_trap_concept(
    tmp_path, loaded_once, monkeypatch, method, icons
) -> None:
    losses = watch_losses(monkeypatch)
    run = replace(CONV, method=method, steps=3, icons=icons)
    pretrain.pretrain(run, tmp_path / "run.safetensors")
    seen = [entry for _, _, entries, _, _ in losses for entry in entries]
    assert loaded_once == [((), {"parts": "upstream"})]
    names = {concept.name for concept in data.concepts() if concept.part == "upstream"}
    captions = set(data.load_icons().captions)
    assert len(seen) == 3 * 8
    assert sum(entry.name in names for entry in seen if entry.keywords) >= 3 * 8 * (1 - icons) / 2
    assert all(entry.name in (names | captions if icons else names) for entry in seen)


# A run, interrupted and resumed


def interrupted(run: Config, out: Path, at: int, monkeypatch) -> None:
    """Pretrain until step `at`, then stop as a power cut would."""
    with monkeypatch.context() as patch, pytest.raises(Interruption):
        watch_losses(patch, at)
        pretrain.pretrain(run, out, checkpoint_every=3)


@each_method
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tmp_path, loaded_once, monkeypatch, method
) -> None:
    run = replace(CONV, method=method)
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "new folder" / "parts.safetensors"
    straight = pretrain.pretrain(run, whole, checkpoint_every=3)
    interrupted(run, parts, 4, monkeypatch)
    assert [path.name for path in parts.parent.iterdir()] == ["parts.checkpoint.safetensors"]
    torch.manual_seed(123)  # the global generator must not matter
    losses = watch_losses(monkeypatch)
    resumed = pretrain.pretrain(run, parts, checkpoint_every=3)
    assert [step for *_, step in losses] == [3, 4, 5]
    torch.testing.assert_close(straight.state_dict(), resumed.state_dict(), rtol=0, atol=0)
    assert parts.with_suffix(".csv").read_bytes() == whole.with_suffix(".csv").read_bytes()
    left = {path.name for path in parts.parent.iterdir()}
    assert left == {"parts.safetensors", "parts.csv"}, "no checkpoint left behind"


def test_a_checkpoint_of_another_run_is_refused(tmp_path, loaded_once, monkeypatch) -> None:
    out = tmp_path / "run.safetensors"
    interrupted(CONV, out, 4, monkeypatch)
    before = (tmp_path / "run.checkpoint.safetensors").read_bytes()
    for other in (replace(CONV, seed=1), replace(CONV, options={"width": 12})):
        with pytest.raises(ValueError, match=r"run\.checkpoint.* belongs to another run"):
            pretrain.pretrain(other, out)
    assert (tmp_path / "run.checkpoint.safetensors").read_bytes() == before


def test_what_is_stored_describes_the_run(tmp_path, loaded_once) -> None:
    out = tmp_path / "run.safetensors"
    letters = replace(CONV, text="letters")
    model = pretrain.pretrain(letters, out)
    assert not model.training
    stored, _ = parse_tensors(out.read_bytes())
    assert asdict(letters).items() <= stored.items()
    assert stored["vocabulary"] == list(model.text.vocabulary) and stored["minutes"] >= 0


def test_training_lowers_the_loss(emoji) -> None:
    """On the few concepts that it sees again and again, without augmentation."""
    still = {"color": 0, "gray": 0, "rotate": 0}
    config = replace(CONV, steps=30, icons=0, augmentation=still)
    model, _ = pretrain.make_model(config)
    optimizer = pretrain.make_optimizer(model, config)
    few = Upstream(emoji.drawn_in("noto").of(emoji.concept[:8]))
    losses = [pretrain.take_step(model, optimizer, few, config, step) for step in range(30)]
    assert losses[-1] < losses[0] / 2


@each_method
def test_an_augmentation_that_is_off_leaves_colours_and_sides_alone(upstream, method) -> None:
    """The changes reach the views: with everything off, the network sees the images themselves."""
    names = ("crop", "rotate", "zoom", "shift", "flip", "color", "hue", "gray", "tint")
    off = dict.fromkeys(names, 0)
    config = replace(CONV, method=method, augmentation=off)
    images, entries = upstream.draw(8, generator(), icons=0.5)
    model, _ = pretrain.make_model(config, entries)
    seen = []
    model.image.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    pretrain.batch_loss(model, images, entries, config, step=0)
    assert all(torch.equal(shown, images / 255) for shown in seen) and seen
    kept = pretrain.Config(method=method, icons=0).make_augmentation()
    assert kept == (augment.SIMCLR if method == "simclr" else augment.CLIP)
    assert pretrain.Config(method=method).make_augmentation() == replace(kept, tint=0.5)


def test_seeds_decide_everything(upstream) -> None:
    def loss(config: Config, step: int) -> float:
        model, _ = pretrain.make_model(config)
        batch = upstream.draw(8, pretrain.step_generator(config.seed, step), config.icons)
        return pretrain.batch_loss(model, *batch, config, step).item()

    assert loss(CONV, 0) == loss(CONV, 0)
    assert len({loss(replace(CONV, seed=seed), step) for seed in (0, 1) for step in (0, 1)}) == 4


def test_matrices_decay_and_vectors_do_not() -> None:
    model, _ = pretrain.make_model(CONV)
    decayed, rest = pretrain.make_optimizer(model, CONV).param_groups
    assert decayed["weight_decay"] == 0.05 and rest["weight_decay"] == 0
    in_rest = {id(p) for p in rest["params"]}
    assert len(decayed["params"]) + len(in_rest) == len(list(model.parameters()))
    assert id(model.log_scale) in in_rest and id(model.image.norm.weight) in in_rest
    assert id(model.image.stem.weight) not in in_rest


# The learning rate and its curve


@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
def test_the_learning_rate_warms_up_to_its_peak_and_falls_to_zero(steps, warmup) -> None:
    config = Config(steps=steps, warmup=warmup, lr=2.0)
    rates = [pretrain.learning_rate(config, step) for step in range(steps)]
    rising = max(1, round(warmup * steps))
    assert rates[0] == pytest.approx(2.0 / rising)
    assert rates[rising - 1] == max(rates) == pytest.approx(2.0)
    assert rates[:rising] == sorted(rates[:rising])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)
    assert min(rates) > 0, "no step is wasted"
    if rising < steps:
        assert pretrain.learning_rate(config, steps) == pytest.approx(0)
        middle = pretrain.learning_rate(config, (rising + steps) / 2)
        assert middle == pytest.approx(1.0), "half a cosine crosses half its height midway"


@pytest.mark.parametrize("count", [1, 49, 50, 51, 120])
def test_the_curve_holds_the_mean_of_all_losses(tmp_path, count) -> None:
    losses = [float(i) for i in range(count)]
    pretrain.write_curve(tmp_path / "curve.csv", losses)
    with open(tmp_path / "curve.csv", newline="") as file:
        rows = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]
    ends = [step for step, _ in rows]
    assert ends == [*range(50, count, 50), count]
    begins = [0, *ends[:-1]]
    total = sum(mean * (end - begin) for (end, mean), begin in zip(rows, begins, strict=True))
    assert total == pytest.approx(sum(losses), rel=1e-4)


# Two processes are one


def tiny_batch() -> tuple[torch.Tensor, list[Entry]]:
    return Upstream(data.load("noto", parts="upstream")).draw(8, generator(1))


def loss_and_gradients(config: Config, batch) -> dict[str, torch.Tensor]:
    model, _ = pretrain.make_model(config, batch[1])
    loss = pretrain.batch_loss(model, *batch, config, step=5)
    loss.backward()
    pretrain.average_gradients(model)
    return {"loss": loss.detach()} | {name: p.grad for name, p in model.named_parameters()}


def work(rank: int, folder: str, methods: tuple[str, ...]) -> None:
    """What one of the two processes does: its part of each loss, and a batch it must refuse."""
    torch.set_num_threads(1)
    path = Path(folder)
    dist.init_process_group(
        "gloo", init_method=(path / "rendezvous").as_uri(), rank=rank, world_size=2
    )
    batch = tiny_batch()
    found = {method: loss_and_gradients(replace(VIT, method=method), batch) for method in methods}
    found["shares"] = pretrain.share(list(range(8)))
    found["refused"] = []
    emoji, data.load = data.load("noto", parts="upstream"), None  # refused before loading
    for refused in (
        lambda: pretrain.pretrain(replace(VIT, batch=7), path / "never.safetensors"),
        lambda: pretrain.share(list(range(7))),
    ):
        try:
            refused()
        except ValueError as error:
            found["refused"].append(str(error))
    found["disagreement"] = go_on_from_another_step(path / f"{rank}.safetensors", rank, emoji)
    torch.save(found, path / f"found-{rank}.pt")
    dist.destroy_process_group()


def go_on_from_another_step(out: Path, rank: int, emoji: data.Emoji) -> str:
    """Only the second process finds a checkpoint, as on two machines that share no disk."""
    config = replace(VIT, steps=2, icons=0)
    model, _ = pretrain.make_model(config)
    if rank == 1:
        optimizer = pretrain.make_optimizer(model, config)
        pretrain.remember(out.with_suffix(".checkpoint.safetensors"), model, optimizer, config, [4])
    data.load = lambda parts: emoji
    with pytest.raises(ValueError) as error:
        pretrain.pretrain(config, out)
    return str(error.value)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[dict]:
    """What each of two processes found, talking through gloo on this machine."""
    folder = tmp_path_factory.mktemp("gloo")
    torch.multiprocessing.spawn(work, (str(folder), pretrain.PRETRAININGS), nprocs=2)
    return [torch.load(folder / f"found-{rank}.pt", weights_only=True) for rank in range(2)]


@each_method
def test_two_processes_give_the_loss_and_gradients_of_one(two, method) -> None:
    one = loss_and_gradients(replace(VIT, method=method), tiny_batch())
    assert one["loss"] > 0.1 and sum(g.abs().max() > 1e-4 for g in one.values()) > 10
    for found in two:
        assert found[method].keys() == one.keys()
        for name, expected in one.items():
            assert torch.allclose(found[method][name], expected, rtol=1e-5, atol=1e-6), name


def test_shares_are_disjoint_and_complete_or_refused_before_any_work(two) -> None:
    assert [found["shares"] for found in two] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert pretrain.share([1, 2, 3]) == [1, 2, 3], "alone, a process takes all"
    for found in two:
        assert found["refused"] == ["batch: got 7, accepted: a multiple of the 2 processes"] * 2


def test_two_processes_agree_on_their_checkpoint_or_do_not_begin(two) -> None:
    for found in two:
        assert "found [0, 1] steps in it" in found["disagreement"]


# The command


def parse(monkeypatch, *arguments: str) -> tuple[Config, Path]:
    monkeypatch.setattr("sys.argv", ["pretrain", *arguments])
    return pretrain.parse_arguments()


def test_the_command_line_sets_every_option(monkeypatch) -> None:
    defaults, out = parse(monkeypatch, "clip")
    assert (defaults, out) == (Config(), data.DATA / "weights/clip-conv.safetensors")
    config, out = parse(
        monkeypatch,
        *("simclr", "--architecture", "vit", "--options", '{"dim": 16}', "--steps", "7"),
        *("--batch", "12", "--seed", "3", "--lr", "0.5", "--weight-decay", "0.1"),
        *("--temperature", "0.3", "--icons", "0.5", "--text", "letters"),
        *("--augmentation", '{"flip": 0}', "--out", "here.safetensors"),
    )
    assert config == Config(
        method="simclr", architecture="vit", options={"dim": 16}, steps=7, batch=12, seed=3,
        lr=0.5, weight_decay=0.1, temperature=0.3, augmentation={"flip": 0}, icons=0.5,
        text="letters",
    )  # fmt: skip
    assert out == Path("here.safetensors")


@pytest.mark.parametrize(
    "line",
    ["", "byol", "clip --architecture mlp", "clip --options {", "clip --steps 0", "--help"]
    + ['clip --augmentation {"flip":2}', 'clip --augmentation {"flip":"a"}', "clip --seed -1"]
    + ['clip --options {"widht":32}', "clip --options [1]", "clip --augmentation null"],
)
def test_help_is_printed_and_a_wrong_command_line_explained(monkeypatch, capsys, line) -> None:
    with pytest.raises(SystemExit):
        parse(monkeypatch, *line.split())
    said = capsys.readouterr()
    assert "usage:" in said.err + said.out


def test_the_command_trains_what_it_was_told_to(tmp_path, loaded_once, monkeypatch) -> None:
    out = tmp_path / "w.safetensors"
    options = ["--options", '{"width": 8}', "--steps", "1", "--batch", "2", "--icons", "0"]
    options += ["--out", str(out)]
    monkeypatch.setattr("sys.argv", ["pretrain", "supervised", *options])
    pretrain.main()
    config, _ = parse_tensors(out.read_bytes())
    assert (config["method"], config["steps"]) == ("supervised", 1)
    assert config["labels"] == sorted({entry.labels[0] for entry in UPSTREAM})


@pytest.mark.parametrize("steps", [1, 3])
@each_method
def test_a_rate_that_diverges_is_named_and_leaves_no_weights(
    method, steps, loaded_once, tmp_path
) -> None:
    """Even when it is the last step that leaves the numbers."""
    config = replace(CONV, method=method, steps=steps, lr=1e30, warmup=0.0)
    with pytest.raises((FloatingPointError, ValueError), match="lower (--)?lr"):
        pretrain.pretrain(config, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


def test_weights_do_not_take_the_place_of_their_curve(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pretrain, "load_upstream", lambda icons: pytest.fail("work"))
    with pytest.raises(ValueError, match="out: got .*w.csv, accepted: another name"):
        pretrain.pretrain(CONV, tmp_path / "w.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--batch 5000", "batch: got 5000 of a kind, accepted: at most"),
        ("--batch 4 --lr 1e30 --warmup 0 --steps 3", "lower lr"),
        ("--batch 4 --lr 1e30 --warmup 0 --steps 1", "lower lr"),
    ],
)
def test_the_command_tells_what_it_cannot_train_and_leaves_nothing(
    tmp_path, loaded_once, monkeypatch, line, message
) -> None:
    fixed = ["--icons", "0", "--options", '{"width": 8}', "--out", str(tmp_path / "w.safetensors")]
    monkeypatch.setattr("sys.argv", ["pretrain", "clip", *line.split(), *fixed])
    with pytest.raises(SystemExit, match=f"^labkit: .*{message}"):
        pretrain.main()
    assert not list(tmp_path.iterdir())
