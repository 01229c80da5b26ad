"""`python -m labkit.capstone FOLDER [--ood FOLDER]`: notebook 07 on your data, as a report."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from labkit.capstone.example import GROUP, write_example
from labkit.capstone.measure import QUICK, Plan, load_backbone
from labkit.capstone.report import write_report
from labkit.files import a_path, told
from labkit.training import Stopped


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.capstone", description=__doc__)
    parser.add_argument("folder", nargs="?", type=a_path,
                        help="a subfolder a class, or a CSV (none: an example)")  # fmt: skip
    parser.add_argument("--ood", type=a_path, help="a second one, with the same classes")
    parser.add_argument("--group", default="", help="regular expression: what belongs together")
    parser.add_argument("--backbone", default="clip-words-conv", help="or torchvision's, resnet18")
    parser.add_argument("--weights", help="torchvision's, such as DEFAULT; else random")
    parser.add_argument("--size", type=int, help="pixels (default: 32, or 96 for torchvision)")
    parser.add_argument("--out", type=a_path, default=Path("capstone"), help="for the report")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of training (default: 60)")
    parser.add_argument("--quick", action="store_true", help="as in the notebook: a rough look")
    options = parser.parse_args(arguments)
    if options.folder is None and (options.ood or options.group):
        parser.error("FOLDER: got none, accepted with --ood or --group: one (the example has both)")
    options.out = options.out.expanduser()  # no shell expands --out=~/report
    with told("--out", ValueError, FloatingPointError):
        try:
            plan = replace(QUICK if options.quick else Plan(), splits=options.splits)
            if options.steps is not None:
                plan = replace(plan, steps=options.steps)
            encoder = load_backbone(options.backbone, options.weights)
            folder, ood, group = options.folder, options.ood, options.group
            if folder is None:
                folder, ood, _ = write_example(options.out / "example")
                group = GROUP
            size = 96 if hasattr(encoder, "backbone") else 32
            size = size if options.size is None else options.size
            print(write_report(folder, encoder, options.out, plan, group, size, ood))
        except Stopped as error:
            kept = f" Features are kept in {options.out}." * any(options.out.glob("features/*"))
            print(f"labkit: stopped {error}.{kept}", file=sys.stderr)
            sys.exit(130)


if __name__ == "__main__":
    main()
