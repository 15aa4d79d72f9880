"""``python -m fuzz.dtypes``: the sweep in full, one line a fault, and their number at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")

from fuzz.dtypes.cases import cases
from fuzz.dtypes.lengths import LENGTHS, long_cases
from fuzz.dtypes.sweep import faults, integer_faults

DTYPES = {
    "numpy": ("float16", "float32"),
    "array_api_strict": ("float32",),
    "torch": ("float16", "bfloat16", "float32"),
    "jax": ("float16", "bfloat16", "float32"),
}
MAGNITUDES = (1e-4, 1.0, 400.0)


def _found(library: str, part: str, text: str, lengths: tuple[int, ...]) -> Iterator[str]:
    recordings = (False, True) if library in ("numpy", "array_api_strict") else (False,)
    for recorded in recordings:
        if part in ("all", "catalogue"):
            for case in cases():
                if text not in case.name:
                    continue
                yield from integer_faults(case, library, recorded=recorded)
                for dtype in DTYPES[library]:
                    for magnitude in filter(case.takes, MAGNITUDES):
                        yield from faults(case, library, dtype, magnitude, recorded=recorded)
        if part in ("all", "lengths"):
            for case in long_cases(lengths=lengths):
                if text not in case.name:
                    continue
                for dtype in DTYPES[library]:
                    yield from faults(case, library, dtype, 1.0, recorded=recorded)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz.dtypes", description=__doc__)
    parser.add_argument("--library", choices=tuple(DTYPES), action="append")
    parser.add_argument("--part", choices=("all", "catalogue", "lengths"), default="all")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--longest", type=int, default=max(LENGTHS))
    options = parser.parse_args()
    start, count = time.monotonic(), 0
    lengths = tuple(n for n in LENGTHS if n <= options.longest)
    for library in options.library or DTYPES:
        for fault in _found(library, options.part, options.only, lengths):
            count += 1
            print(fault, flush=True)
    print(f"{count} faults in {time.monotonic() - start:.0f} s")
    sys.exit(count > 0)


if __name__ == "__main__":
    main()
