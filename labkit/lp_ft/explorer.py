"""Notebook 06: the feature-distortion explorer, a recorded scene from which one can train anew.

The browser plays what was recorded. A training that it asks for is drawn as it comes.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from labkit import encoders
from labkit.data import STYLES
from labkit.lp_ft import distortion, scene
from labkit.lp_ft.distortion import ExplorerSetting, Take
from labkit.ui.alive import Alive
from labkit.ui.steps import Runner, finish

TITLE = "Watch fine-tuning move features"
HERE = Path(__file__).parent
PARTS = ("canvas.js", "player.js", "scene_data.js", "scene_layout.js", "scene_draw.js", "scene.js")
SCRIPTS = [HERE / name for name in PARTS]
SHEET = HERE / "scene.css"
HONEST = 0.03  # the rate that ID validation picks most often in the sweep; the default is dramatic
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)  # above 0.003 LP-FT diverges
CHOICES = {
    "id_style": ("Learn in (ID)", STYLES),
    "ood_style": ("Try in (OOD)", STYLES),
    "shots": ("Labels per class", (2, 5, 10, 20, 30)),
    "ft_lr": ("FT learning rate", RATES),
    "lp_ft_lr": ("LP-FT learning rate", RATES[:4]),
    "head": ("FT's first head", distortion.HEADS),
    "head_scale": ("Scale of that head", (0.0, 0.3, 1.0, 3.0, 10.0)),
}


class DistortionExplorer(Alive):
    """The explorer; tests read `takes`, `stage` and `error`."""

    def __init__(self, encoder: torch.nn.Module, takes: Mapping[str, Take]) -> None:
        self.encoder, self.takes = encoder, dict(takes)
        self.runner = Runner()
        first = next(iter(takes.values())).setting
        choices = [
            {"name": name, "label": label, "options": values, "value": getattr(first, name)}
            for name, (label, values) in CHOICES.items()
        ]
        said = " ".join(scene.describe(name, take) for name, take in takes.items())
        content = scene.pack(takes) | {"kernel": choices}
        super().__init__(TITLE, SCRIPTS, SHEET, content, said)
        self.add_class("labkit-distorting")
        self.stage.observe(self._asked, "request")

    def let_go(self) -> None:
        """Leave the browser, stop training, and forget encoder and frames."""
        self.runner.stop()
        super().let_go()
        self.takes, self.encoder = {}, None

    def _asked(self, change) -> None:
        wanted = change.new.get("setting")
        self.runner.stop()  # a newer wish ends the training that it outdates
        if wanted is not None:
            self.runner.start(self.train(wanted))

    def train(self, changes: Mapping[str, Any]) -> Generator:
        """Train with these changes to the first setting, and draw it as it goes."""
        stage, before, frames = self.stage, list(self.takes.values()), None
        stage.error, stage.progress = "", 0.0
        try:
            yield
            setting = replace(before[0].setting, **changes)
            kept = max(before, key=lambda take: len(distortion.reusable(take, setting)))
            for share, _, take in distortion.record(self.encoder, setting, kept):
                count = [len(track.features["id"]) for track in take.tracks.values()]
                if count != frames:
                    frames = count
                    self._show(take)
                stage.progress = share
                yield
            self.takes["yours"] = take
        except Exception as error:
            stage.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            stage.progress = -1.0
        self._show(take)

    def _show(self, take: Take) -> None:
        packed = scene.pack({"yours": take})
        known = self.stage.content["styles"]
        added = {name: style for name, style in packed["styles"].items() if name not in known}
        self.stage.live = {"take": packed["takes"]["yours"], "styles": added}


def feature_distortion(
    setting: ExplorerSetting | None = None, encoder: torch.nn.Module | None = None, progress=None
) -> DistortionExplorer:
    """The explorer, opened on what `setting` gives (trained now) and on FT's honest rate."""
    setting = setting or ExplorerSetting()
    encoder = encoder or encoders.load("clip-words-conv").image

    def part(start: float, share: float):
        return progress and (lambda done, text: progress(start + share * done, text))

    dramatic = finish(distortion.record(encoder, setting), part(0, 0.65))
    computation = distortion.record(encoder, replace(setting, ft_lr=HONEST), dramatic)
    takes = {"dramatic": dramatic, "honest": finish(computation, part(0.65, 0.35))}
    return DistortionExplorer(encoder, takes)
