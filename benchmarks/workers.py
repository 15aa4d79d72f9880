"""How training by several processes scales: a simulation of messages between many workers.

A step is what each worker computes and an all-reduce of all gradients. The times of steps are of
the networks of these benchmarks, recorded on NumPy on one core. They vary from worker to worker and
step to step as a lognormal distribution does, and the slowest is waited for. A message of ``n``
bytes takes ``latency + n / bandwidth``. An all-reduce is that of `portanet.distributed` by MPI: up
to 64 KiB of all workers, one exchange of whole messages by doubling; above it two of blocks, each
of ``workers - 1`` messages of ``1 / workers`` of the bytes. Nothing else is on the network, and no
message is sent while a gradient is worked out; `overlap` is what could be had if all were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.report import table
from portanet.distributed.engine import GATHERED_BYTES

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
SHOWN = (8, 64, 1024)
STEPS = 200
VARIATION = 0.05
"""The standard deviation of the time of a step, relative to it."""


@dataclass(frozen=True)
class Network:
    name: str
    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Workload:
    """A training step of NumPy, recorded, on one core.

    Parameters
    ----------
    name : str
    parameters : int
        In float32.
    seconds : float
        For a step with the whole batch.
    fixed : float
        What of it does not depend on the batch: the update, which every worker does whole, and
        calls: what is left of the line through the times of a whole and a quarter batch, each the
        least of 4 s of steps on one pinned core.
    """

    name: str
    parameters: int
    seconds: float
    fixed: float


NETWORKS = (
    Network("one machine, shared memory", 3e-6, 3.5e9),
    Network("10 Gbit/s Ethernet, TCP", 30e-6, 1.1e9),
    Network("200 Gbit/s InfiniBand", 2e-6, 23e9),
)

WORKLOADS = (
    Workload("64→128→128→10, batch 32", 26_122, 139e-6, 61e-6),
    Workload("LeNet, batch 64", 44_426, 3.84e-3, 0.36e-3),
    Workload("transformer block, batch 8", 198_272, 9.37e-3, 0.46e-3),
    Workload("784→1024→1024→10, batch 256", 1_863_690, 32.6e-3, 6.7e-3),
)


def allreduce_seconds(size: int, workers: int, network: Network) -> float:
    """Return how long an all-reduce of `size` bytes takes."""
    if workers == 1:
        return 0.0
    if size * workers <= GATHERED_BYTES:
        received = size * (workers - 1)
        return math.ceil(math.log2(workers)) * network.latency + received / network.bandwidth
    block = network.latency + size / workers / network.bandwidth
    return 2 * (workers - 1) * block


def step_seconds(
    work: Workload, workers: int, network: Network, *, whole: bool, overlap: bool = False
) -> float:
    """Return the mean time of a step.

    `whole`: each worker has a batch of the workload's size; otherwise they share one.
    """
    share = 1.0 if whole else 1.0 / workers
    seconds = work.fixed + (work.seconds - work.fixed) * share
    spread = math.sqrt(math.log1p(VARIATION**2))
    draws = np.random.default_rng(workers).lognormal(-(spread**2) / 2, spread, (STEPS, workers))
    slowest = seconds * draws.max(axis=1)
    message = allreduce_seconds(4 * work.parameters, workers, network)
    waits = np.maximum(slowest, message) if overlap else slowest + message
    return float(waits.mean())


def speedup(
    work: Workload, workers: int, network: Network, *, whole: bool, overlap: bool = False
) -> float:
    """Return how many times as many samples a second there are as with one worker."""
    one = step_seconds(work, 1, network, whole=whole)
    many = step_seconds(work, workers, network, whole=whole, overlap=overlap)
    return one / many * (workers if whole else 1)


def scaling() -> list[str]:
    """Return tables of speedups, and where they end."""
    texts = []
    for whole, title in ((True, "each worker has a batch"), (False, "workers share one batch")):
        rows = []
        for work in WORKLOADS:
            for network in NETWORKS:
                found = {n: speedup(work, n, network, whole=whole) for n in WORKERS}
                hidden = {n: speedup(work, n, network, whole=whole, overlap=True) for n in SHOWN}
                best = max(found, key=lambda n: found[n])
                half = max(n for n in WORKERS if found[n] >= n / 2)
                rows.append(
                    [work.name, network.name]
                    + [f"{found[n]:.3g} ({hidden[n]:.3g})" for n in SHOWN]
                    + [str(half), f"{best}{' or more' if best == WORKERS[-1] else ''}"]
                )
        head = ["workload", "network", *map(str, SHOWN), "half of each up to", "fastest with"]
        texts.append(f"### Speedup, {title} (if all messages were hidden)\n\n{table(head, rows)}")
    return texts
