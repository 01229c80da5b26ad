"""Notebook 06: the feature-distortion explorer: it trains in the kernel, draws in the browser.

Moving a training control retrains; moving it again meanwhile gives up and starts afresh. Between
two training steps the kernel hears the browser, so nothing queues and no thread is needed.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import torch
import traitlets
from anywidget import AnyWidget
from ipywidgets import Dropdown, IntSlider, SelectionSlider
from PIL import Image

from labkit import encoders
from labkit.data import STYLES
from labkit.looks import LOOKS
from labkit.lp_ft import distortion
from labkit.lp_ft.distortion import SIDES, ExplorerSetting, Scene
from labkit.lp_ft.figures import CLASS_LOOKS, describe_frame, draw_frame
from labkit.ui.controls import HERE, heading, replace_earlier, script
from labkit.ui.style import Picture, figure

TITLE = "Watch fine-tuning move features"
SETTLE = 0.25  # seconds without change before training begins: a drag trains once, at its end
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)  # above 0.003 LP-FT diverges
SCALES = (0.0, 0.3, 1.0, 3.0, 10.0)
VIEW = {"method": "fine-tuning", "frame": 10_000, "follow": -1, "emoji": False}  # at first


class Stage(AnyWidget):
    """What the browser draws; distortion.js scrubs, plays and points without asking the kernel."""

    _esm = script(Path(__file__).with_name("distortion.js"))
    _css = (HERE / "panel.css").read_text(encoding="utf-8")
    title = traitlets.Unicode(TITLE).tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    method = traitlets.Unicode(VIEW["method"]).tag(sync=True)
    frame = traitlets.Int(VIEW["frame"]).tag(sync=True)  # the browser stops at the last
    follow = traitlets.Int(VIEW["follow"]).tag(sync=True)  # a concept; -1 for none
    emoji = traitlets.Bool(VIEW["emoji"]).tag(sync=True)
    progress = traitlets.Float(-1.0).tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    reset_request = traitlets.Int(0).tag(sync=True)

    def tell(self, **changes: Any) -> None:
        """Change several traits in one message."""
        with self.hold_sync():
            for name, value in changes.items():
                setattr(self, name, value)


class DistortionExplorer(ipywidgets.VBox):
    """The explorer; tests read `scene`, `error` and `alt`, and move `controls`."""

    def __init__(self, encoder: torch.nn.Module, setting: ExplorerSetting, scene: Scene) -> None:
        self.encoder, self.stage = encoder, Stage()
        self.controls = make_controls(setting)
        self._first = {name: control.value for name, control in self.controls.items()}
        self._fixed = {"steps": setting.steps, "seed": setting.seed}
        self._wanted: ExplorerSetting = setting
        self._task: asyncio.Task | None = None
        grid = ipywidgets.Box(list(self.controls.values())).add_class("labkit-controls")
        super().__init__([*heading(TITLE), grid, self.stage])
        self.add_class("labkit-panel").add_class("labkit-distorting")
        for control in self.controls.values():
            control.observe(self._changed, "value")
        self.stage.observe(self._reset, "reset_request")
        replace_earlier(self)
        self._show(scene)

    def let_go(self) -> None:
        """Leave the browser, stop training, and forget encoder and frames."""
        if self._task is not None:
            self._task.cancel()
        for widget in (*self.controls.values(), self.stage, self):
            widget.close()
        self.controls, self.stage.scene, self.scene, self.encoder = {}, {}, None, None

    @property
    def setting(self) -> ExplorerSetting:
        values = {name: control.value for name, control in self.controls.items()}
        return ExplorerSetting(**values, **self._fixed)

    @property
    def error(self) -> str | None:
        return self.stage.error or None

    @property
    def alt(self) -> str:
        return describe_frame(self.scene, *self._shown())

    def _shown(self) -> tuple[str, int]:
        """The method and the frame in the picture."""
        method = self.stage.method
        return method, min(self.stage.frame, len(self.scene.frames[method].at) - 1)

    def _show(self, scene: Scene) -> None:
        self.scene = scene
        self.stage.tell(scene=pack(scene), version=self.stage.version + 1)

    def _changed(self, _change=None) -> None:
        self._wanted = self.setting
        if self._task is not None and not self._task.done():
            return  # it notices by itself
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # plain Python: nothing else could happen meanwhile
            asyncio.run(self._serve(settle=0))
        else:
            self._task = loop.create_task(self._serve(SETTLE))

    async def _serve(self, settle: float) -> None:
        """Train until what is shown is what is wanted."""
        try:
            self.stage.tell(error="")
            while self._wanted != self.scene.setting:
                setting = self._wanted
                self.stage.tell(progress=0.0, note="")
                await asyncio.sleep(settle)
                scene = await self._record(setting)
                if scene is not None:
                    self._show(scene)
        except Exception as error:
            self.stage.tell(error=f"{type(error).__name__}: {error}")
            raise
        finally:
            self.stage.tell(progress=-1.0, note="")

    async def _record(self, setting: ExplorerSetting) -> Scene | None:
        """The scene of a setting, or None as soon as another is wanted."""
        computation = distortion.record(self.encoder, setting, self.scene)
        while setting == self._wanted:
            try:
                done, text = next(computation)
            except StopIteration as end:
                return end.value
            self.stage.tell(progress=done, note=text)
            await asyncio.sleep(0.001)  # let the kernel hear of controls that moved
        return None

    def _reset(self, _change) -> None:
        self.stage.tell(**VIEW)
        for name, control in self.controls.items():
            control.unobserve(self._changed, "value")  # one training for all of them, below
            control.value = self._first[name]
            control.observe(self._changed, "value")
        self._changed()

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add a picture for where no widget can run, as `labkit.ui.panel` does."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        fig, axes = figure(1, 2, (10, 5.5), sharex=True, sharey=True)
        draw_frame(axes, self.scene, *self._shown())
        picture = Picture(fig, self.alt)
        bundle["text/plain"], bundle["image/png"] = self.alt, picture.png
        return bundle, {"image/png": {"width": picture.width, "alt": self.alt}}


def make_controls(setting: ExplorerSetting) -> dict[str, ipywidgets.ValueWidget]:
    """One control for each thing that needs training."""
    rates, safe, scales = named(RATES), named(RATES[:4]), named(SCALES, " x")
    controls = {
        "id_style": Dropdown(options=STYLES, description="Learn in (ID)"),
        "ood_style": Dropdown(options=STYLES, description="Try in (OOD)"),
        "shots": IntSlider(min=2, max=30, description="Labels per class"),
        "ft_lr": SelectionSlider(options=rates, description="FT learning rate"),
        "lp_ft_lr": SelectionSlider(options=safe, description="LP-FT learning rate"),
        "head": Dropdown(options=distortion.HEADS, description="FT's first head"),
        "head_scale": SelectionSlider(options=scales, description="Scale of that head"),
    }
    for name, control in controls.items():
        control.value, control.continuous_update = getattr(setting, name), False
    return controls


def named(values: Sequence[float], unit: str = "") -> list[tuple[str, float]]:
    return [(f"{value:g}{unit}", value) for value in values]


def pack(scene: Scene) -> dict[str, Any]:
    """A scene as the browser takes it: little-endian arrays, one PNG of pictures a side."""
    sides = {
        side: {
            "title": f"{side.upper()}, {getattr(scene.setting, side + '_style')}",
            "labels": scene.labels[side].astype("u1").tobytes(),
            "names": scene.names[side],
            "concept": scene.concepts[side],
            "sheet": strip(scene.images[side]),
        }
        for side in SIDES
    }
    texts = {
        method: [describe_frame(scene, method, i) for i in range(len(frames.at))]
        for method, frames in scene.frames.items()
    }
    return {
        "classes": [look._asdict() for look in CLASS_LOOKS],
        "methods": {method: LOOKS[method]._asdict() for method in scene.frames},
        "sides": sides,
        "frames": {method: pack_frames(frames) for method, frames in scene.frames.items()},
        "texts": texts,
    }


def pack_frames(frames: distortion.Frames) -> dict[str, Any]:
    packed: dict[str, Any] = {"at": frames.at.tolist()}
    for name, dtype in (("points", "<f4"), ("regions", "<f4"), ("predicted", "u1")):
        arrays = getattr(frames, name).items()
        packed[name] = {side: array.astype(dtype).tobytes() for side, array in arrays}
    for name in ("accuracy", "moved"):
        packed[name] = {side: values.tolist() for side, values in getattr(frames, name).items()}
    return packed


def strip(images: np.ndarray) -> bytes:
    """(n, 3, 64, 64) -> a PNG of all pictures in one row."""
    row = np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(row).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def feature_distortion(
    setting: ExplorerSetting | None = None, encoder: torch.nn.Module | None = None, progress=None
) -> DistortionExplorer:
    """The explorer, opened on what `setting` gives (trained now, about ten seconds)."""
    setting = setting or ExplorerSetting()
    encoder = encoder or encoders.load("clip-conv").image
    scene = distortion.finish(distortion.record(encoder, setting), progress)
    return DistortionExplorer(encoder, setting, scene)
