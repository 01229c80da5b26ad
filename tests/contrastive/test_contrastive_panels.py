"""Notebook 03's panels: every control at its ends and middle; results against plain loops."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from panels import check_background_reused, check_every_control

from labkit import augment, data, explorers, figures, plots, sweeps
from labkit.contrastive import figures as contrastive_figures
from labkit.contrastive import pretrain, projections, sweep, zero_shot
from labkit.data import STYLES
from labkit.ui.panel import Panel


@pytest.fixture(scope="module")
def crowd(clip, simclr) -> explorers.Crowd:
    return explorers.make_crowd(clip, simclr)


@pytest.fixture(scope="module")
def emoji_views(simclr):
    return explorers.make_view_gallery(simclr)


@pytest.fixture(scope="module", params=["playground", "zero_shot", "augmentations", "temperature"])
def panel(request, gallery, clip, simclr) -> Panel:
    made = {
        "playground": lambda: explorers.playground(gallery),
        "zero_shot": lambda: explorers.zero_shot(gallery),
        "augmentations": lambda: explorers.augmentations(simclr),
        "temperature": lambda: explorers.temperature(clip, simclr),
    }
    return made[request.param]()


def test_every_setting_of_every_control_gives_a_picture(panel: Panel) -> None:
    check_every_control(panel)


def test_frames_reuse_their_background_while_typing(gallery) -> None:
    check_background_reused(explorers.playground(gallery), "words", ["animal", "a ship", "zorple"])


def test_a_click_on_a_found_picture_asks_what_it_is(gallery, pixel_of) -> None:
    panel = explorers.playground(gallery)
    found, shown = panel.result.found.concept, panel.picture.frames
    place = pixel_of(panel, axes=0, x=3.5, y=1.5)  # second row, fourth style
    panel.picture.clicked = [1, *place]
    assert panel.values["emoji"] == found[len(data.STYLES) + 3]
    assert panel.values["style"] == data.STYLES[3]
    assert panel.picture.frames == shown + 1, "two controls, one frame"
    before = panel.values
    for number, (axes, x, y) in enumerate([(1, 0.5, 1), (0, 3.5, 2.5)], start=2):
        panel.picture.clicked = [number, *pixel_of(panel, axes, x, y)]
    panel.picture.clicked = [4, 0.999, 0.001]
    assert panel.values == before, "beside the pictures nothing happens"


def test_words_find_the_nearest_image_of_every_style(gallery) -> None:
    """Against a plain loop over all images."""
    result = explorers.compute_search(gallery, "  animal ", start(), "twemoji")
    with torch.no_grad():
        query = gallery.clip.embed_captions(["animal"])[0]
    best: dict[int, tuple[float, str]] = {}
    for i in range(len(gallery.emoji)):
        name = data.concepts()[int(gallery.emoji.concept[i])].name
        found = float(gallery.image[i] @ query), name
        style = int(gallery.emoji.style[i])
        best[style] = max(best.get(style, (-2, "")), found)
    found = result.found.captions[: len(data.STYLES)]
    assert found == [best[s][1] for s in range(len(data.STYLES))]
    assert result.unknown == [] and not result.nothing_known


def test_a_picture_finds_itself_and_its_rank_is_counted_from_one(gallery) -> None:
    result = explorers.compute_search(gallery, "", start(), "noto")
    place = data.STYLES.index("noto")
    assert result.found.captions[place] == result.picture.captions[0] == "sailboat"
    row = gallery.emoji.row_of(start(), "noto")
    cosines = gallery.text @ gallery.image[row]
    assert result.rank == 1 + int((cosines > cosines[start()]).sum())
    assert result.captions.count("sailboat") == (result.rank <= len(result.captions))
    assert list(result.cosines) == sorted(result.cosines, reverse=True)


def test_unknown_words_are_said_in_words(gallery) -> None:
    result = explorers.compute_search(gallery, "zorple fruit", start(), "noto")
    assert result.unknown == ["zorple"] and not result.nothing_known
    assert "never met zorple" in explorers.describe_search(result)
    foreign = explorers.compute_search(gallery, "яяя", start(), "noto")
    assert foreign.nothing_known and "arbitrary" in explorers.describe_search(foreign)


@pytest.mark.parametrize("typed", [r"$\x$", "$5 or $6", "$ ^ $"])
def test_typed_dollars_are_no_mathematics(gallery, typed) -> None:
    searched = explorers.compute_search(gallery, typed, start(), "noto")
    fig, axes = plots.figure(1, 2)
    contrastive_figures.draw_search(axes, searched)
    fig.canvas.draw()
    assert typed.replace("$", r"\$") in axes[0].get_title("left")


def test_a_concept_that_clip_has_seen_is_refused(gallery) -> None:
    seen = next(c.position for c in data.concepts() if c.part == "upstream")
    with pytest.raises(ValueError, match=f"position: got {seen}"):
        explorers.compute_search(gallery, "", seen, "noto")


def test_zero_shot_counts_every_image_once(gallery) -> None:
    result = explorers.compute_zero_shot(gallery, data.class_names(), "validation")
    shares = [interval.mean for interval in result.intervals]
    assert shares == pytest.approx(list(result.default)), "these are the bare names"
    rows, guess = zero_shot.hits_of(gallery, data.class_names(), "validation")
    assert result.total == len(rows)
    assert result.failures == int((guess != gallery.labels[rows]).sum())
    truth = {c.name: c.label for c in data.concepts() if c.part == "validation"}
    assert len(result.guesses) == 6
    for name, guess in zip(result.wrong.captions, result.guesses, strict=True):
        assert truth[name] != guess


def test_empty_prompts_and_templates_fall_back_to_the_class_name(gallery) -> None:
    panel = explorers.zero_shot(gallery)
    before = panel.result.overall
    panel.controls["class_0"].value = "   "
    panel.controls["template"].value = ""
    assert panel.result.overall == before


def test_without_augmentation_every_emoji_is_itself(emoji_views) -> None:
    names = ("elephant", "bicycle", "cherries")
    none = augment.Augmentation()
    result = explorers.compute_views(emoji_views, names, "noto", none, seed=0)
    assert result.emoji.captions == list(names) == result.neighbours.captions and result.found.all()
    assert np.allclose(result.cosines, 1, atol=1e-5)
    strong = augment.Augmentation(crop=0.9, color=1, hue=0.5, color_probability=1)
    harder = explorers.compute_views(emoji_views, names, "noto", strong, seed=0)
    assert harder.cosines.mean() < 0.99
    again = explorers.compute_views(emoji_views, names, "noto", strong, seed=0)
    assert again.cosines == pytest.approx(harder.cosines)


def test_gray_views_make_coloured_hearts_one(emoji_views) -> None:
    """The trap: what only colour tells apart is lost with it."""
    hearts = explorers.VIEW_SETS["hearts, told apart by colour"]
    gray = augment.Augmentation(gray=1)
    result = explorers.compute_views(emoji_views, hearts, "twemoji", gray, seed=0)
    assert sum(result.found) <= 2 and result.others > 0.8


def test_the_push_follows_the_temperature(crowd) -> None:
    halves = [explorers.compute_push(crowd, "clip", t, 0, 3).half for t in (0.01, 0.1, 1.0)]
    assert halves == sorted(halves) and halves[0] < 2
    assert crowd.cosines["collapsed"].abs().mean() > 0.95, "one point, or two opposite ones"
    warm, cold = (explorers.compute_push(crowd, "collapsed", t, 0, 3) for t in (0.3, 0.03))
    assert abs(warm.half - cold.half) < 1.5, "a collapsed encoder cannot tell hard from easy"
    assert np.allclose(cold.shares.sum(axis=1), 1, atol=1e-5)
    assert cold.shares[3][cold.order[0]] == cold.shares[3].max()


def test_every_encoder_s_cosines_are_of_the_pictures_beside_them(clip, crowd) -> None:
    shown = crowd.emoji["clip"]
    own = clip.embed_images(shown.images) @ clip.embed_captions(shown.captions).T
    torch.testing.assert_close(crowd.cosines["clip"], own)
    assert crowd.cosines["clip"].diagonal().mean() > crowd.cosines["clip"].mean() + 0.1
    for name, emoji in crowd.emoji.items():
        assert len(emoji) == len(crowd.cosines[name]), name
        part = {data.concepts()[i].part for i in emoji.concept.tolist()}
        assert part == ({"upstream"} if name == "collapsed" else {"test"})


def test_live_simclr_takes_the_steps_of_pretrain(tmp_path, monkeypatch) -> None:
    """The same losses as `pretrain.pretrain`, step by step, and one picture updated in place."""
    few = data.load("noto", parts="upstream")[:60]
    monkeypatch.setattr(data, "load", lambda *a, **k: few)
    shown, later = [], []

    def show(picture, display_id: str, update: bool) -> None:
        shown.append(picture)
        later.append(update)

    model, last = explorers.watch_simclr(steps=21, batch=16, width=8, show=show)
    assert later == [False, True, True, True] and len(last.losses) == 21
    assert not model.training and "After 21 of 21 steps" in shown[-1].alt
    short = {"steps": 21, "batch": 16, "icons": 0, "lr": 3e-3}
    config = pretrain.Config("simclr", options={"width": 8}, **short)
    trained = pretrain.pretrain(config, tmp_path / "x.safetensors")
    for ours, theirs in zip(model.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_geometry_of_a_collapse_is_a_point(clip) -> None:
    pairs = projections.caption_pairs(clip, data.load("noto", parts="upstream"))
    fallen = explorers.geometry_of(pairs, projections.attraction_only, steps=300, lr=0.01)
    start_row = explorers.geometry_of(pairs, projections.attraction_only, steps=0)
    assert fallen["alignment"] < 0.2 < start_row["alignment"]
    assert fallen["uniformity"] > start_row["uniformity"] + 1


def start() -> int:
    return next(c.position for c in data.concepts() if c.name == "sailboat")


def test_view_similarity_has_pairs_on_its_diagonal(simclr) -> None:
    images = data.load("noto", parts="test").images[:20]
    none = explorers.view_similarity(simclr, images, augment.Augmentation(), seed=0)
    with torch.no_grad():
        x = F.normalize(simclr.embed_images(images), dim=1)
    assert np.allclose(none, (x @ x.T).numpy(), atol=1e-5)


def test_partners_found_counts_whose_own_view_is_nearest(simclr) -> None:
    """By cosines of the two views, computed here; the larger square's share is over all images."""
    images = data.load("noto", parts="test").images
    generator = torch.Generator().manual_seed(0)
    one, two = (augment.SIMCLR(images, generator) for _ in range(2))
    with torch.no_grad():
        x, y = (F.normalize(simclr.embed_images(view), dim=1) for view in (one, two))
    share = ((x @ y.T).argmax(dim=1) == torch.arange(len(images))).float().mean().item()
    shown = explorers.partners_found({"trained": simclr, "again": simclr})
    assert f"trained: {share:.0%} find their own; again: {share:.0%}" in shown.alt


def test_tiles_lay_images_out_row_by_row_with_transparent_gaps() -> None:
    images = np.arange(3 * 3 * 2 * 2, dtype=np.uint8).reshape(3, 3, 2, 2)
    grid = plots.tiles(images, columns=2, gap=(1, 0))
    assert grid.shape == (6, 4, 4)
    assert (grid[0:2, 2:4, :3] == images[1].transpose(1, 2, 0)).all()
    assert (grid[3:5, 0:2, :3] == images[2].transpose(1, 2, 0)).all()
    assert grid[2, :, 3].max() == 0 and grid[3:, 2:, 3].max() == 0, "gap and missing tile"
    assert (plots.tiles(images / 255, 2, (1, 0)) == grid).all(), "floats in [0, 1] are the same"


def test_curves_show_what_they_are_given() -> None:
    table = pd.DataFrame({"gap": 0.3, "alignment": 0.5, "uniformity": -3.0}, index=[0.1, 1.0])
    _, axes = plots.figure(1, 3)
    plots.draw_geometry(axes, table)
    assert [list(ax.lines[0].get_ydata()) for ax in axes] == [[0.3] * 2, [0.5] * 2, [-3] * 2]
    assert "0.30 at 0.1, 0.30 at 1" in plots.describe_geometry(table)
    found = {"seen": [0.5, 1.2], "unseen": [0.1, 0.2]}
    bounds = {name: pd.DataFrame({"mean": x}, index=[2, 4]) for name, x in found.items()}
    _, ax = plots.figure()
    plots.draw_information(ax, bounds)
    assert list(ax.lines[0].get_ydata()) == pytest.approx([np.log(2), np.log(4)]), "the ceiling"
    assert [list(line.get_ydata()) for line in ax.lines[1:]] == list(found.values())
    assert ax.get_title(loc="left") == "A batch of 4 shows 1.4 nats at most, here 1.2"
    assert "at 4: seen 1.20, unseen 0.20 nats" in plots.describe_information(bounds)


def test_styles_are_sorted_by_clip_and_the_title_counts(tmp_path) -> None:
    """Of a table as the sweep writes it; CLIP is ahead everywhere but in one style."""
    rows = [
        {"method": m, "seed": s, "shots": shots, "overlap": 0.3}
        | {n: 0.3 + 0.01 * i for i, n in enumerate(STYLES)}
        for m, s, shots in product(sweep.ENCODERS, range(3), sweep.SHOTS)
    ]
    for row in rows:
        row["noto"] = {"clip": 0.9, "simclr": 0.8}.get(row["method"], 0.1) + 0.01 * row["seed"]
        row["blob"] = {"clip": 0.1, "simclr": 0.2}.get(row["method"], 0.1)
        row["fluent"] += 0.2 * (row["method"] == "clip")
    sweeps.write_table(tmp_path / "t.csv", pd.DataFrame(rows))
    table = sweep.by_style(sweeps.read_table(tmp_path / "t.csv"), 5)
    styles = list(table.index.unique(level=0))
    assert (styles[0], styles[-1]) == ("noto", "blob") and len(table) == 40
    assert table.loc[("noto", "clip"), "mean"] == pytest.approx(0.91)
    _, ax = plots.figure()
    plots.draw_styles(ax, table, 0.16, ("blob", "fluent"))
    title = "CLIP leads SimCLR in 2 of 10 styles, by +5 points without labels"
    assert ax.get_title(loc="left") == title
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[-1] == "blob\n(no labels)" and labels[0] == "noto"
    assert "noto: CLIP 91%, SimCLR 81%" in figures.describe_dots(table)


def test_an_image_is_not_its_own_neighbour_where_another_has_its_features() -> None:
    """Each has a twin in another style, and of equals either may be found first."""
    noto = data.load("noto", parts="test")
    twice = data.Emoji(
        noto.images.repeat(2, 1, 1, 1),
        noto.concept.repeat(2),
        torch.cat([noto.style, torch.full_like(noto.style, STYLES.index("blob"))]),
    )
    found = sweep.same_style(twice, {"pixels": whole_pixels()})
    assert found.iloc[0, 0] == 0


def whole_pixels() -> torch.nn.Module:
    """Features that are whole numbers: those of twins are equal to the last digit."""

    class Pixels(torch.nn.Module):
        def forward(self, images):
            return images[:, :, ::8, ::8].flatten(1).double()

    return Pixels()
