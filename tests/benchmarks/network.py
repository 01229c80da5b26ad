"""Where the seconds of one network of notebook 06's sweeps go, and how fast its parts are.

    OMP_NUM_THREADS=1 python tests/benchmarks/network.py

A network is 80 steps of fine-tuning and the accuracies that the sweep writes down, on one thread as
in a sweep. Operations by torch's profiler; the product is of two square matrices of 1,024.
"""

import time
from collections import Counter

import torch
from torch.profiler import ProfilerActivity, profile

from labkit import transfer
from labkit.lp_ft import sweep

KINDS = {
    "convolutions": ("convolution", "mkldnn"),
    "BatchNorm": ("batch_norm",),
    "ReLU and sums": ("relu", "threshold", "add", "clamp"),
}
FLOPS = 2 * 3 * 32 * 26.4e6  # of a step: 32 images, forward once and backward twice


def kind_of(operation: str) -> str:
    found = [kind for kind, parts in KINDS.items() if any(part in operation for part in parts)]
    return found[0] if found else "everything else"


def seconds(work, times: int = 1) -> float:
    work()
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def main() -> None:
    torch.set_num_threads(1)
    here = sweep.Recipes(sweep.FAR[1], 0)
    fit, start = here.fine_tune(0.01), time.process_time()
    here.fine_tune(0.01)
    trained = time.process_time() - start
    measured = seconds(lambda: here.measure(fit))
    with profile(activities=[ProfilerActivity.CPU]) as found:
        schedule = transfer.Schedule(20, record_every=0)
        transfer.fine_tune(here.encoder, here.task, 0.01, here.generator(), schedule)
    spent = Counter()
    for event in found.key_averages():
        spent[kind_of(event.key)] += event.self_cpu_time_total
    square = torch.rand(1024, 1024)
    product = 2 * 1024**3 / seconds(lambda: square @ square, 20) / 1e9
    share = spent["convolutions"] / spent.total()
    steps = FLOPS * sweep.STEPS / (share * trained) / 1e9
    print(f"training {trained:.1f} s, measuring {measured:.1f} s; of the training:")
    for kind, microseconds in spent.most_common():
        print(f"  {kind}: {microseconds / spent.total():.0%}")
    print(f"convolutions run at {steps:.0f} GFLOP/s, a matrix product at {product:.0f}")
    least = trained * (1 - share) + share * trained * steps / product
    print(f"with convolutions as fast as the product: {(trained + measured) / least:.1f} times")


if __name__ == "__main__":
    main()
