"""How often nominal 95 % intervals cover the truth, in the worlds of tests/worlds.py.

    PYTHONPATH=.:tests python tests/benchmarks/coverage.py [WORLDS]    # writes INTERVALS.md

Some minutes of one core with 2,000 worlds each; then a share of 95 % has a standard error of 0.5 %.
"""

import sys
from pathlib import Path

import worlds

TEXT = """# What a nominal 95 % interval covers

`PYTHONPATH=.:tests python tests/benchmarks/coverage.py {count}`: {count:,} worlds a row, percent of
them. Student's t takes seeds (or episodes) for independent; `labkit.statistics` is for other
concepts. The difference is between two methods, one of which owes much to the luck of its seed: the
correction for splits (Nadeau & Bengio 2003) knows what tests share, and is then too careful. With
hits for each concept a table knows more, and its intervals for differences are half as wide.

| repeated | the world | Student's t: accuracy | `statistics`: accuracy | difference |
|---|---|---|---|---|
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    text = TEXT.format(count=count)
    for name, world in worlds.WORLDS.items():
        found = worlds.coverage(name, count)
        shares = (f"{100 * found[kind]:.1f}" for kind in ("before", "accuracy", "difference"))
        text += f"| {name} | {world.about} | {' | '.join(shares)} |\n"
        print(text.splitlines()[-1], flush=True)
    Path(__file__).with_name("INTERVALS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
