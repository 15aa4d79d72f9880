"""Fair timing on a machine that does other things too."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 41
ROUND_SECONDS = 0.004
MOST_PARALLEL = 1.05
"""Processor time over time: above 1 by what the two clocks differ in."""


@dataclass(frozen=True)
class Timing:
    """The median time of one call, and its median ratio to each contender of the same rounds."""

    seconds: float
    ratios: Mapping[str, float]


def interleave(contenders: Mapping[str, Callable[[], object]]) -> dict[str, Timing]:
    """Time the contenders in turns, so that what slows the machine slows all of them.

    Each round calls every contender for about the same time; ratios are taken within a round.
    """
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    began = time.perf_counter(), time.process_time()
    try:
        for _ in range(ROUNDS):
            for name, call in contenders.items():
                rounds[name].append(_seconds(call, repeats[name]))
    finally:
        gc.enable()
    check_one_thread(time.perf_counter() - began[0], time.process_time() - began[1])
    return {
        name: Timing(
            statistics.median(own),
            {
                other: statistics.median(a / b for a, b in zip(own, theirs, strict=True))
                for other, theirs in rounds.items()
            },
        )
        for name, own in rounds.items()
    }


def check_one_thread(wall: float, cpu: float) -> None:
    """Raise `RuntimeError` if more time was computed than went by: by threads side by side."""
    if cpu > MOST_PARALLEL * wall:
        raise RuntimeError(
            f"the contenders computed {cpu:.2f} s in {wall:.2f} s: one of them used several threads"
        )


def _seconds(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _repeats(call: Callable[[], object]) -> int:
    for _ in range(3):
        call()
    return max(1, round(ROUND_SECONDS / _seconds(call, 3)))
