"""The explorer and the proof, from a file without a kernel: every control, keys, themes, widths."""

import json
import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from driver import silent_page
from playwright.sync_api import Browser, Page, expect

from labkit import encoders
from labkit.lp_ft import distortion, explorer, proof, scene
from labkit.lp_ft.distortion import ExplorerSetting, record
from labkit.lp_ft.theory import simulate
from labkit.ui.alive import alive, joined
from labkit.ui.steps import finish

HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>A test</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<style>:root { color-scheme: light dark; } body { margin: 8px; }</style>"
)
SHOWN = "document.querySelector('.labkit-canvas').dataset.shown"
PICTURE = "document.querySelector('.labkit-canvas').toDataURL()"
SQUEEZED = """(canvas) =>
    (canvas.clientWidth / canvas.width) / (canvas.clientHeight / canvas.height)"""
# Draws once more and returns every word that is in the picture: text, left, top, right, bottom.
# Some are drawn on a canvas behind the scenes, of the same pixels.
WORDS = """async () => {
    const drawing = CanvasRenderingContext2D.prototype, { fillText } = drawing, words = new Map();
    const canvas = document.querySelector(".labkit-canvas");
    drawing.fillText = function (text, x, y) {
        const size = this.measureText(text), matrix = this.getTransform();
        const corners = [
            [x - size.actualBoundingBoxLeft, y - size.actualBoundingBoxAscent],
            [x + size.actualBoundingBoxRight, y + size.actualBoundingBoxDescent],
        ].map(([px, py]) => {
            const point = matrix.transformPoint(new DOMPoint(px, py));
            return [point.x * canvas.clientWidth / canvas.width,
                point.y * canvas.clientHeight / canvas.height];
        });
        const [xs, ys] = [0, 1].map((k) => corners.map((c) => c[k]).sort((a, b) => a - b));
        const box = [xs[0], ys[0], xs[1], ys[1]].map((v) => Math.round(10 * v) / 10);
        words.set([text, ...box].join(), [text, ...box]);
        fillText.call(this, text, x, y);
    };
    window.dispatchEvent(new Event("resize"));
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    drawing.fillText = fillText;
    return [...words.values()];
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    """Where both pictures lie, as files."""
    encoder = encoders.load("clip-conv").image
    dramatic = ExplorerSetting(shots=4, steps=6, ft_lr=0.05)
    takes = {"dramatic": finish(record(encoder, dramatic))}
    gentler = ExplorerSetting(shots=4, steps=6, ft_lr=0.01)
    takes["honest"] = finish(record(encoder, gentler, takes["dramatic"]))
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for name, part, content in (
        ("explorer", explorer, scene.pack(takes)), ("proof", proof, proof.content()),
    ):  # fmt: skip
        path = folder / f"{name}.html"
        page = alive(joined(*part.SCRIPTS), part.HERE / "scene.css", content, part.TITLE)
        path.write_text(HEAD + page, encoding="utf-8")
        found[name] = path.as_uri()
    return found


def opened(browser: Browser, url: str, width: int = 1400, **options) -> Iterator[Page]:
    with silent_page(browser, url, width, **options) as page:
        page.wait_for_selector(".labkit-canvas[data-shown]")
        yield page


@pytest.fixture
def story(browser, pages) -> Iterator[Page]:
    yield from opened(browser, pages["explorer"])


@pytest.fixture
def lines(browser, pages) -> Iterator[Page]:
    yield from opened(browser, pages["proof"])


def shown(page: Page) -> str:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(SHOWN)


def changes(page: Page, act) -> None:
    before = page.evaluate(PICTURE)
    act()
    shown(page)
    assert page.evaluate(PICTURE) != before


def test_it_opens_at_the_start_and_plays_to_the_end(story: Page) -> None:
    assert shown(story) == "dramatic 0.00"
    play = story.get_by_role("button", name="Play")
    began = story.evaluate("performance.now()")
    play.press("Enter")
    expect(story.get_by_role("button", name="Pause")).to_be_visible()
    story.wait_for_function(f"Number({SHOWN}.split(' ')[1]) % 1 > 0")  # between two recorded frames
    expect(play).to_be_visible(timeout=20_000)
    assert shown(story) == "dramatic 6.00"
    assert story.evaluate("performance.now()") - began > 6000, "slow enough to be followed"
    play.press("Enter")  # from the start again
    story.wait_for_function(f"Number({SHOWN}.split(' ')[1]) < 3")


def test_keys_step_from_frame_to_frame_and_space_plays(story: Page) -> None:
    scrubber = story.get_by_role("slider", name="Training step")
    pictures = {story.evaluate(PICTURE)}
    for key, t in (("ArrowRight", 1), ("ArrowRight", 2), ("End", 6), ("ArrowLeft", 5)):
        scrubber.press(key)
        assert shown(story) == f"dramatic {t}.00"
        assert scrubber.get_attribute("aria-valuetext") == f"step {t} of 6"
        pictures.add(story.evaluate(PICTURE))
    assert len(pictures) == 5
    scrubber.press("Home")
    scrubber.press(" ")
    expect(story.get_by_role("button", name="Pause")).to_be_visible()
    scrubber.press(" ")
    expect(story.get_by_role("button", name="Play")).to_be_visible()
    scrubber.fill("3.25")
    assert shown(story) == "dramatic 3.25", "a drag stops anywhere"


def test_the_words_are_the_recorded_numbers(story: Page, pages) -> None:
    story.get_by_role("slider", name="Training step").press("End")
    picture = story.get_by_role("img").first
    expect(picture).to_have_attribute("aria-label", re.compile("Step 6 of 6"))
    said = picture.get_attribute("aria-label")
    with open(pages["explorer"].removeprefix("file://"), encoding="utf-8") as file:
        packed = re.search(r"mount\(document.*?, (\{.*\})\);", file.read())[1]
    for method, track in json.loads(packed)["takes"]["dramatic"]["tracks"].items():
        if method != "wise-ft":
            ends = [f"{100 * track['accuracy'][side][-1]:.0f} %" for side in distortion.SIDES]
            assert f"{scene.SHORT[method]} {ends[0]} and {ends[1]}" in said
    expect(story.get_by_role("status")).to_have_text(said)
    expect(story.locator(".labkit-caption")).to_have_text(said)


def test_every_other_control_changes_the_picture(story: Page) -> None:
    story.get_by_role("slider", name="Training step").press("End")
    shown(story)
    changes(story, lambda: story.get_by_role("radio", name="Honest").check(force=True))
    assert shown(story).startswith("honest ")
    story.get_by_text("More").click()
    assert not story.get_by_role("button", name="Train").count(), "there is no kernel"
    changes(story, lambda: story.get_by_label("Show WiSE-FT").check())
    changes(story, lambda: story.get_by_label("Follow an emoji").select_option(index=3))
    said = re.compile("WiSE-FT.*Following ")
    expect(story.get_by_role("img").first).to_have_attribute("aria-label", said)


def test_a_click_follows_an_emoji_and_a_second_lets_it_go(story: Page) -> None:
    canvas = story.locator(".labkit-canvas")
    box = canvas.bounding_box()
    for x, y in ((x, y) for y in range(90, 250, 9) for x in range(60, 300, 9)):
        story.mouse.move(box["x"] + x, box["y"] + y)
        shown(story)
        if canvas.evaluate("node => node.style.cursor") == "pointer":
            break
    changes(story, lambda: (story.mouse.down(), story.mouse.up()))
    chosen = story.get_by_label("Follow an emoji")
    assert chosen.input_value() != "-1"
    story.mouse.down()
    story.mouse.up()
    assert chosen.input_value() == "-1"


def test_the_story_has_four_steps_with_numbers_and_ends(story: Page) -> None:
    story.get_by_role("button", name="Tell the story").press("Enter")
    for number in range(1, 5):
        told = story.locator(".labkit-story")
        expect(told).to_contain_text(f"{number} of 4")
        assert re.search(r"\d+ %|\d\.\d", told.locator("span").text_content())
        if number == 2:
            story.get_by_role("button", name="Back").press("Enter")
            expect(told).to_contain_text("1 of 4")
            story.get_by_role("button", name="Next").press("Enter")
        story.get_by_role("button", name="Done" if number == 4 else "Next").press("Enter")
    expect(story.locator(".labkit-story")).to_be_hidden()
    assert shown(story) == "dramatic 6.00"


def test_who_wants_less_motion_sees_recorded_frames_only(browser, pages) -> None:
    for page in opened(browser, pages["explorer"], reduced_motion="reduce"):
        page.get_by_role("button", name="Play").press("Enter")
        times = set()
        for _ in range(40):
            page.wait_for_timeout(50)
            times.add(page.evaluate(SHOWN).split()[1])
        assert len(times) > 1 and all(t.endswith(".00") for t in times)


@pytest.mark.parametrize("name", ["explorer", "proof"])
@pytest.mark.parametrize("width", [390, 800, 1400])
def test_it_fits_every_width_in_both_themes(browser, pages, name: str, width: int) -> None:
    pictures = []
    for theme in ("light", "dark"):
        for page in opened(browser, pages[name], width, color_scheme=theme):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(".labkit-scene").get_attribute("data-theme") == theme
            if width == 1400:
                assert page.evaluate("document.documentElement.scrollHeight") <= 800
            pictures.append(page.evaluate(PICTURE))
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize("name", ["explorer", "proof"])
@pytest.mark.parametrize("width", [390, 800, 1076, 1400])
def test_no_word_is_cut_off_or_lies_on_another(browser, pages, name: str, width: int) -> None:
    for page in opened(browser, pages[name], width):
        for moment in ("Home", "End"):
            page.locator(".labkit-scrubber").press(moment)
            shown(page)
            canvas = page.locator(".labkit-canvas")
            assert canvas.evaluate(SQUEEZED) == pytest.approx(1, abs=0.005)
            words, size = page.evaluate(WORDS), canvas.bounding_box()
            assert len(words) > 10
            for text, left, top, right, bottom in words:
                assert left > -1 and right < size["width"] + 1, f"{text!r} is cut off"
                assert top > -1 and bottom < size["height"] + 1, f"{text!r} is cut off"
            for (one, *a), (two, *b) in combinations(words, 2):
                across, down = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
                assert min(across, down) < 1.5, f"{one!r} and {two!r} lie on one another"


def test_every_control_of_the_proof_changes_words_and_picture(lines: Page) -> None:
    picture = lines.get_by_role("img").first
    said = {picture.get_attribute("aria-label")}
    names = ("Feature error ε", "Length of the first head", "Head's rate over the features'")
    for name in names:
        for key in ("PageUp", "End", "Home"):
            changes(lines, lambda n=name, k=key: lines.get_by_role("slider", name=n).press(k))
            said.add(picture.get_attribute("aria-label"))
    changes(lines, lambda: lines.get_by_role("button", name="Another instance").press("Enter"))
    said.add(picture.get_attribute("aria-label"))
    assert len(said) >= 9
    changes(lines, lambda: lines.get_by_role("button", name="Reset").press("Enter"))
    for name in ("LP", "LP-FT", "FT"):
        radio = lines.get_by_role("radio", name=name, exact=True)
        changes(lines, lambda radio=radio: radio.check(force=True))
    changes(lines, lambda: lines.get_by_role("slider", name="Gradient step").press("Home"))
    lines.get_by_role("button", name="Play").press("Enter")
    expect(lines.get_by_role("button", name="Play")).to_be_visible(timeout=20_000)
    assert shown(lines).split()[0] == "fine-tuning"


def test_the_fourth_picture_is_dragged(lines: Page) -> None:
    box = lines.locator(".labkit-canvas").bounding_box()
    lines.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 150)
    lines.mouse.down()
    lines.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 150)
    lines.mouse.up()
    error = lines.get_by_role("slider", name="Feature error ε").input_value()
    assert 0.4 < float(error) < 1.2
    assert f"Feature error {float(error):.2f}" in lines.locator(".labkit-caption").text_content()


def test_chromium_trains_as_python_does(lines: Page) -> None:
    """What the words say, against `labkit.theory` (node, where it is, compares every step)."""
    lines.get_by_role("slider", name="Feature error ε").fill("0.4")
    lines.get_by_role("slider", name="Length of the first head").fill("0.8")
    lines.get_by_role("slider", name="Head's rate over the features'").fill("1")
    said = lines.locator(".labkit-caption").text_content()
    setting = {"feature_error": 0.4, "head_scale": 0.8, "head_rate": 10}
    run = simulate(**proof.SIZES, **setting, steps=proof.STEPS)
    ends = {"FT": run.ft, "LP": run.lp, "LP-FT": run.lp_ft}
    id_, ood = (
        ", ".join(f"{name} {getattr(r, loss)[-1] ** 0.5:.2f}" for name, r in ends.items())
        for loss in ("id_loss", "ood_loss")
    )
    assert f"Error ID: {id_}. OOD: {ood}." in said
    assert f"by {run.ft.moved_inside[-1]:.2f} inside" in said
