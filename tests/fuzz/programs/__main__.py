"""Run many programs: ``python -m fuzz.programs --programs 100000 --seed 0``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from fuzz.programs.compare import run, shrunk
from fuzz.programs.generate import Generator

_OFTEN = 5000  # programs between two lines of progress
_MEMORY = 4 << 30  # bytes that a program may ask for: a product of products may want any number


def _limit_memory() -> None:
    """Let what is too large raise a `MemoryError`, in the plain function too, which is skipped."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.programs")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", default="numpy", choices=["numpy", "array_api_strict", "cupy"])
    parser.add_argument("--failures", type=int, default=10, help="stop after so many")
    arguments = parser.parse_args()
    _limit_memory()
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    failures, start = 0, time.perf_counter()
    for seed in range(arguments.seed, arguments.seed + arguments.programs):
        program = Generator(arguments.library, seed).program()
        outcome = run(program)
        counts[outcome.kind] += 1
        if counts.total() % _OFTEN == 0:
            print(f"{counts.total()} programs", file=sys.stderr, flush=True)
        if outcome.kind == "refused":
            refused[outcome.detail] += 1
        if outcome.wrong:
            failures += 1
            smaller = shrunk(program, outcome.kind)
            print(f"# seed {seed}: {run(smaller).detail or outcome.detail}")
            print(smaller.text(), flush=True)
            if failures >= arguments.failures:
                break
    seconds = time.perf_counter() - start
    total = sum(counts.values())
    print(f"{total} programs in {seconds:.0f} s, {failures} wrong: {dict(counts)}")
    for detail, count in refused.most_common(8):
        print(f"    {count} refused: {detail}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
