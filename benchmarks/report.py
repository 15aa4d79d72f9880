"""Tables of what was measured."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.timing import Timing

_LIBRARIES = ("numpy", "autograd", "torch", "jax", "array-api-compat")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def duration(seconds: float) -> str:
    """Return a time with the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g}\N{NO-BREAK SPACE}{unit}"
    return f"{seconds * 1e6:.3g}\N{NO-BREAK SPACE}µs"


def comparison(title: str, timings: Mapping[str, Timing]) -> str:
    """Return the times of one workload; the ratios are those of portanet to each contender."""
    ours = [name for name in timings if name.startswith("portanet")]
    rows = [
        [name, duration(timing.seconds), *(f"{timings[own].ratios[name]:.2f}" for own in ours)]
        for name, timing in timings.items()
    ]
    return f"### {title}\n\n" + table(["contender", "time", *(f"{own} ÷ it" for own in ours)], rows)


def machine() -> str:
    """Return what it was measured on."""
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{_processor()}, one thread, Python {platform.python_version()}, {', '.join(found)}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
