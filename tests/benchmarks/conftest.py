"""What every benchmark shares: CPU time of one thread.

None is part of the default run: `pip install -r tests/benchmarks/requirements.txt`, then
`pytest tests/benchmarks`.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
import torch


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Times on one thread can be compared on a shared machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def medians(capsys) -> Callable:
    """CPU seconds of each run, printed. Rounds alternate: a busy machine slows all alike."""

    def measure(runs: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds + 1):
            for name, run in runs.items():
                begun = time.process_time()
                run()
                seconds[name].append(time.process_time() - begun)
        found = {name: statistics.median(times[1:]) for name, times in seconds.items()}
        with capsys.disabled():
            print("".join(f"\n{name:28}{1000 * value:10.2f} ms" for name, value in found.items()))
        return found

    return measure
