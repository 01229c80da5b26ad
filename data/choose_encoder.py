"""Which encoder? Give each the same processor time to pretrain, then probe what it learned.

    python data/choose_encoder.py --minutes 2     # about 15 minutes; updates README.md

Each candidate pretrains by CLIP on upstream emoji alone (no icon, no word vector), on one thread,
for the same CPU minutes. Then linear probes, trained in one style (Twemoji) on downstream training
concepts, are scored on *validation* concepts: in the same style (ID), and in the other nine (unseen
styles). The ID and OOD test sets are not looked at.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from readme import markdown, replace_section

from labkit import data, tasks, transfer
from labkit.contrastive import pretrain, upstream

CANDIDATES = {
    "conv, width 24": ("conv", {"width": 24}),
    "conv, width 32": ("conv", {"width": 32}),
    "conv, width 48": ("conv", {"width": 48}),
    "vit, patch 8": ("vit", {"patch": 8}),
    "vit, patch 4": ("vit", {"patch": 4}),
}


def seconds_per_step(config: pretrain.Config, steps: int = 4) -> float:
    """CPU seconds of one training step, after a first one to warm up."""
    seen = upstream.load_upstream(icons=config.icons > 0)
    model, _ = pretrain.make_model(config, seen.emoji + seen.icons)
    for step in range(steps + 1):
        if step == 1:
            begun = time.process_time()
        batch = seen.draw(config.batch, pretrain.step_generator(config.seed, step), config.icons)
        pretrain.batch_loss(model, *batch, config, step).backward()
    return (time.process_time() - begun) / steps


def probe_scores(encoder: torch.nn.Module) -> tuple[float, float]:
    """Validation accuracy of a Twemoji probe, in Twemoji and averaged over the other styles."""
    task = tasks.style_shift(("twemoji",), ())
    probe = transfer.linear_probe(encoder, task)
    others = [
        transfer.accuracy(probe.model, tasks.style_shift((style,), ()).validation)
        for style in data.STYLES
        if style != "twemoji"
    ]
    return probe.validation, sum(others) / len(others)


def measure(name: str, minutes: float, folder: Path) -> dict[str, object]:
    architecture, options = CANDIDATES[name]
    config = pretrain.Config(architecture=architecture, options=options, icons=0.0, text="letters")
    cost = seconds_per_step(config)
    config = replace(config, steps=round(minutes * 60 / cost))
    model = pretrain.pretrain(config, folder / f"trial-{architecture}.safetensors")
    same, unseen = probe_scores(model.image)
    return {
        "encoder": name,
        "parameters": sum(p.numel() for p in model.image.parameters()),
        "images per CPU second": round(config.batch / cost),
        "CPU minutes": minutes,
        "steps": config.steps,
        "unseen concepts": f"{same:.3f}",
        "unseen concepts in unseen styles": f"{unseen:.3f}",
    }


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    minutes = parser.parse_args().minutes
    if not 0.1 <= minutes <= 1000:
        parser.error(f"--minutes: got {minutes:g}, accepted: 0.1 to 1000")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, minutes, Path(folder)) for name in CANDIDATES]
    replace_section("encoders", markdown(rows))


if __name__ == "__main__":
    main()
