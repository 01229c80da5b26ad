"""A computation in steps, between which the kernel hears the browser: how a training is stopped.

It is a generator in the kernel's own thread, so nothing queues and no lock is needed.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple


class Step(NamedTuple):
    """What a panel's `compute` may yield after each of its steps, to be drawn as it goes."""

    share: float  # of the whole that is done
    note: str  # such as "step 8 of 40"
    result: Any  # so far; the last is the result. The same object as before is not drawn again


def finish(steps: Iterable[Step], progress: Callable[[float, str], None] | None = None) -> Any:
    """Take all steps and return the last result."""
    for step in steps:
        if progress is not None:
            progress(step.share, step.note)
    return step.result


class Runner:
    """Takes the steps of one generator at a time; what is to happen at its end, it does itself."""

    def __init__(self) -> None:
        self._steps: Generator | None = None
        self._task: asyncio.Task | None = None  # the loop alone would not keep it

    def start(self, steps: Generator) -> None:
        """End what is running, then take these steps: at once, or while a kernel's loop goes on."""
        self.stop()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # plain Python: nothing else could happen meanwhile
            for _ in steps:
                pass
        else:
            self._steps, self._task = steps, loop.create_task(_take(steps))
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def stop(self) -> None:
        """Close the generator between two of its steps: GeneratorExit reaches it."""
        if self._steps is not None:
            self._steps.close()


async def _take(steps: Generator) -> None:
    for _ in steps:
        await asyncio.sleep(0.001)  # now the kernel may hear of a Stop
