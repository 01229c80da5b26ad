"""Notebook 06: the feature-distortion explorer: it trains in the kernel, draws in the browser.

Moving a training control retrains; moving it again meanwhile gives up and starts afresh. Between
two training steps the kernel hears the browser, so nothing queues and no thread is needed.
"""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import torch
import traitlets
from anywidget import AnyWidget
from PIL import Image

from labkit import encoders, plots
from labkit.data import STYLES
from labkit.lp_ft import distortion
from labkit.lp_ft.distortion import SIDES, Scene, Setting
from labkit.lp_ft.distortion_figures import CLASS_LOOKS, describe_frame, draw_distortion
from labkit.ui.controls import HERE, heading, replace_earlier, script

TITLE = "Watch fine-tuning move features"
SETTLE = 0.25  # seconds without change before training begins: a drag trains once, at its end


class Stage(AnyWidget):
    """What the browser draws; distortion.js scrubs, plays and points without asking the kernel."""

    _esm = script(Path(__file__).with_name("distortion.js"))
    _css = (HERE / "panel.css").read_text(encoding="utf-8")
    title = traitlets.Unicode(TITLE).tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    method = traitlets.Unicode("fine-tuning").tag(sync=True)
    frame = traitlets.Int(10_000).tag(sync=True)  # past the end: the browser stops at the last
    follow = traitlets.Int(-1).tag(sync=True)  # a concept; -1 for none
    emoji = traitlets.Bool(False).tag(sync=True)
    progress = traitlets.Float(-1.0).tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    reset_request = traitlets.Int(0).tag(sync=True)


class DistortionExplorer(ipywidgets.VBox):
    """The explorer; tests read `scene`, `error` and `alt`, and move `controls`."""

    def __init__(self, encoder: torch.nn.Module, setting: Setting, scene: Scene) -> None:
        self.encoder, self.scene = encoder, scene
        self.stage = Stage()
        self.controls = make_controls(setting)
        self._first = {name: control.value for name, control in self.controls.items()}
        self._fixed = {"steps": setting.steps, "seed": setting.seed}
        self._wanted: Setting = setting
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
    def setting(self) -> Setting:
        values = {name: control.value for name, control in self.controls.items()}
        return Setting(**values, **self._fixed)

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

    def _changed(self, _change=None) -> None:
        self._wanted = self.setting
        if self._task is not None and not self._task.done():
            return  # it notices by itself
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # plain Python: nothing else could happen meanwhile
            asyncio.run(self._serve(settle=0))
        else:
            self._task = loop.create_task(self._serve())

    async def _serve(self, settle: float | None = None) -> None:
        """Train until what is shown is what is wanted."""
        settle = SETTLE if settle is None else settle
        try:
            self._tell(error="")
            while self._wanted != self.scene.setting:
                setting = self._wanted
                self._tell(progress=0.0, note="")
                await asyncio.sleep(settle)
                scene = await self._record(setting)
                if scene is not None:
                    self._show(scene)
        except Exception as error:
            self._tell(error=f"{type(error).__name__}: {error}")
            raise
        finally:
            self._tell(progress=-1.0, note="")

    async def _record(self, setting: Setting) -> Scene | None:
        """The scene of a setting, or None as soon as another is wanted."""
        computation = distortion.record(self.encoder, setting, self.scene)
        while setting == self._wanted:
            try:
                done, text = next(computation)
            except StopIteration as end:
                return end.value
            self._tell(progress=done, note=text)
            await asyncio.sleep(0.001)  # let the kernel hear of controls that moved
        return None

    def _reset(self, _change) -> None:
        with self.stage.hold_sync():
            self.stage.method, self.stage.frame = "fine-tuning", 10_000
            self.stage.follow, self.stage.emoji = -1, False
        for name, control in self.controls.items():
            control.unobserve(self._changed, "value")  # one training for all of them, below
            control.value = self._first[name]
            control.observe(self._changed, "value")
        self._changed()

    def _show(self, scene: Scene) -> None:
        self.scene = scene
        self._tell(scene=pack(scene), version=self.stage.version + 1)

    def _tell(self, **changes: Any) -> None:
        with self.stage.hold_sync():
            for name, value in changes.items():
                setattr(self.stage, name, value)

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add a picture for where no widget can run, as `labkit.ui.panel` does."""
        data = dict(super()._repr_mimebundle_(**kwargs) or {})
        fig, axes = plots.figure(2, 2, (10, 7.5), height_ratios=(2, 1))
        draw_distortion(axes, self.scene, *self._shown())
        picture = plots.Picture(fig, self.alt)
        data["text/plain"], data["image/png"] = self.alt, picture.png
        return data, {"image/png": {"width": picture.width, "alt": self.alt}}


def make_controls(setting: Setting) -> dict[str, ipywidgets.ValueWidget]:
    """One control for each thing that needs training."""
    rates = [10 ** (k / 2) for k in range(-8, -1)]  # 0.0001 to 0.1

    def rate(value: float, name: str, count: int) -> ipywidgets.SelectionSlider:
        options = [(f"{r:.1g}", float(f"{r:.1g}")) for r in rates[:count]]
        return ipywidgets.SelectionSlider(
            options=options, value=value, description=name, continuous_update=False
        )

    scales = [(f"{s:g} x", s) for s in (0.0, 0.3, 1.0, 3.0, 10.0)]
    return {
        "id_style": ipywidgets.Dropdown(
            options=STYLES, value=setting.id_style, description="Learn in (ID)"
        ),
        "ood_style": ipywidgets.Dropdown(
            options=STYLES, value=setting.ood_style, description="Try in (OOD)"
        ),
        "shots": ipywidgets.IntSlider(
            setting.shots, 2, 30, description="Labels per class", continuous_update=False
        ),
        "ft_lr": rate(setting.ft_lr, "FT learning rate", len(rates)),
        "lp_ft_lr": rate(setting.lp_ft_lr, "LP-FT learning rate", 4),  # above 0.003 it diverges
        "head": ipywidgets.Dropdown(
            options=distortion.HEADS, value=setting.head, description="FT's first head"
        ),
        "head_scale": ipywidgets.SelectionSlider(
            options=scales, value=setting.head_scale, description="Scale of that head",
            continuous_update=False,
        ),
    }  # fmt: skip


def pack(scene: Scene) -> dict[str, Any]:
    """A scene as the browser takes it: little-endian arrays, one PNG of pictures a side."""
    return {
        "classes": [look._asdict() for look in CLASS_LOOKS],
        "methods": {m: {"name": plots.METHODS[m].name, "color": plots.METHODS[m].color}
                    for m in scene.frames},
        "sides": {
            side: {
                "title": f"{side.upper()}, {getattr(scene.setting, side + '_style')}",
                "labels": scene.labels[side].astype("u1").tobytes(),
                "names": scene.names[side],
                "concept": scene.concepts[side],
                "sheet": strip(scene.images[side]),
            }
            for side in SIDES
        },
        "frames": {method: pack_frames(frames) for method, frames in scene.frames.items()},
        "texts": {
            method: [describe_frame(scene, method, f) for f in range(len(frames.at))]
            for method, frames in scene.frames.items()
        },
    }  # fmt: skip


def pack_frames(frames: distortion.Frames) -> dict[str, Any]:
    def both(arrays: dict[str, np.ndarray], dtype: str) -> dict[str, bytes]:
        return {side: array.astype(dtype).tobytes() for side, array in arrays.items()}

    return {
        "at": frames.at.tolist(),
        "points": both(frames.points, "<f4"),
        "regions": both(frames.regions, "<f4"),
        "predicted": both(frames.predicted, "u1"),
        "accuracy": {side: values.tolist() for side, values in frames.accuracy.items()},
        "moved": {side: values.tolist() for side, values in frames.moved.items()},
    }


def strip(images: np.ndarray) -> bytes:
    """(n, 3, 64, 64) -> a PNG of all pictures in one row."""
    row = np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(row).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def feature_distortion(
    setting: Setting | None = None, encoder: torch.nn.Module | None = None, progress=None
) -> DistortionExplorer:
    """The explorer, opened on what `setting` gives (trained now, about ten seconds)."""
    setting = setting or Setting()
    encoder = encoder or encoders.load("clip-conv").image
    scene = distortion.finish(distortion.record(encoder, setting), progress)
    return DistortionExplorer(encoder, setting, scene)
