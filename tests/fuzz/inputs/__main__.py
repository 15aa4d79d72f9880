"""Try everything public with bad input: ``python -m fuzz.inputs --backend numpy --only TEXT``."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # as in the tests: labels are of 64 bits
os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")  # it takes seconds a function

import portanet as pn
from fuzz.inputs.calls import calls
from fuzz.inputs.probes import probes
from fuzz.inputs.run import Count, bounded_memory, faults

BACKENDS = ("numpy", "array_api_strict", "torch", "jax", "cupy")


def main() -> int:
    """Print each fault, and how many calls of which library had none; return whether any had."""
    parser = argparse.ArgumentParser(prog="fuzz.inputs", description=__doc__)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--only", default="", help="calls whose name has this text")
    options = parser.parse_args()
    here = [name for name in BACKENDS if pn.backends.available()[name] is None]
    total = 0
    for backend in options.backend or here:
        count, kinds = Count(), Counter()
        chosen = (call for call in calls(backend) if options.only in call.name)
        for fault in faults(chosen, probes(backend), count):
            kinds[fault.what.partition(":")[0]] += 1
            print(f"{backend}: {fault}", flush=True)
        found = sum(kinds.values())
        total += found
        print(
            f"{backend}: {count.refused} refused, {count.accepted} accepted, "
            f"{found} faults {dict(kinds)}",
            flush=True,
        )
    return total > 0


if __name__ == "__main__":
    with bounded_memory():
        sys.exit(main())
