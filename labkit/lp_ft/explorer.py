"""Notebook 06: the feature-distortion explorer, a recorded scene from which one can train anew.

The browser plays what was recorded. A training that it asks for is drawn as it comes.

    python -m labkit.lp_ft.explorer     # record data/scenes/explorer.json: half a minute
"""

import argparse
import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from labkit import data, encoders
from labkit.data import STYLES
from labkit.files import replacing
from labkit.lp_ft import distortion, scene
from labkit.lp_ft.distortion import ExplorerSetting, Take
from labkit.training import Progress, progress_bar
from labkit.ui.alive import Alive
from labkit.ui.steps import Runner, finish

TITLE = "Watch fine-tuning move features"
RECORDING = "scenes/explorer.json"  # of ExplorerSetting(), by this encoder
ENCODER = "clip-words-conv"
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

    def __init__(
        self, encoder: nn.Module, content: Mapping[str, Any], takes: Mapping[str, Take] = {}
    ) -> None:
        self.encoder, self.takes = encoder, dict(takes)
        self.runner = Runner()
        first = next(iter(content["takes"].values()))["setting"]
        self.setting = ExplorerSetting(**first)
        choices = [
            {"name": name, "label": label, "options": values, "value": first[name]}
            for name, (label, values) in CHOICES.items()
        ]
        said = " ".join(take["said"] for take in content["takes"].values())
        super().__init__(TITLE, SCRIPTS, SHEET, {**content, "kernel": choices}, said)
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
            setting = replace(self.setting, **changes)
            kept = max(before, key=lambda t: len(distortion.reusable(t, setting)), default=None)
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
    setting: ExplorerSetting | None = None, encoder: nn.Module | None = None, progress=None
) -> DistortionExplorer:
    """The explorer, opened on what `setting` gives, and on FT's honest rate.

    Without arguments on the shipped recording of `ExplorerSetting()`; with either, trained now.
    """
    recorded = setting is None and encoder is None
    encoder = encoder or encoders.load(ENCODER).image
    if recorded:
        return DistortionExplorer(encoder, scene.unpack(json.loads(data.read_bytes(RECORDING))))
    takes = two_takes(encoder, setting or ExplorerSetting(), progress)
    return DistortionExplorer(encoder, scene.pack(takes), takes)


def two_takes(
    encoder: nn.Module, setting: ExplorerSetting, progress: Progress | None = None
) -> dict[str, Take]:
    """Train what `setting` says, and then FT at its honest rate."""

    def part(start: float, share: float) -> Progress | None:
        return progress and (lambda done, text: progress(start + share * done, text))

    dramatic = finish(distortion.record(encoder, setting), part(0, 0.65))
    computation = distortion.record(encoder, replace(setting, ft_lr=HONEST), dramatic)
    return {"dramatic": dramatic, "honest": finish(computation, part(0.65, 0.35))}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with progress_bar("recording") as bar:
        takes = two_takes(encoders.load(ENCODER).image, ExplorerSetting(), bar)
    path = data.DATA / RECORDING
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"takes": scene.pack(takes)["takes"]}), encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB. Now run `python data/checksum.py`.")


if __name__ == "__main__":
    main()
