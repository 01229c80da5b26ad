"""Where the tests' time goes: two Markdown tables, by folder and the slowest files.

    python -m labkit test -n 2 --junitxml=tests.xml
    python tests/benchmarks/slow_tests.py tests.xml

Seconds are those of the tests and of what they set up, of both workers together.
"""

import sys
from collections import Counter
from pathlib import PurePath
from xml.etree import ElementTree

SLOWEST = 12


def table(seconds: Counter, count: Counter, what: str) -> str:
    rows = [f"| {what} | tests | seconds |", "|---|---|---|"]
    rows += [f"| {name} | {count[name]} | {s:.0f} |" for name, s in seconds.most_common(SLOWEST)]
    return "\n".join(rows)


def main(path: str) -> None:
    folders, files = (Counter(), Counter()), (Counter(), Counter())
    for case in ElementTree.parse(path).iter("testcase"):
        file = PurePath(*case.get("classname").split("."))
        for (seconds, count), key in ((folders, str(file.parent)), (files, str(file))):
            seconds[key] += float(case.get("time"))
            count[key] += 1
    total = sum(folders[0].values())
    print(f"{total:.0f} seconds, {sum(folders[1].values())} tests\n")
    print(table(*folders, "folder"), "\n")
    print(table(*files, "file"))


if __name__ == "__main__":
    main(*sys.argv[1:])
