"""What portanet makes of a file, compared with the format's own library."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from fuzz.files.make import file_of
from portanet.errors import PortanetError
from portanet.io import _library
from portanet.io import safetensors as files

SLOW = 1.0
"""Seconds that nothing of a few hundred bytes takes."""

PACKED = {"F4", "F6_E2M3", "F6_E3M2"}
"""Dtypes of less than a byte, which no array of NumPy has."""

Entries = list[tuple[str, dict[str, Any]]]


class Twice(Exception):
    """A name that stands twice in an object of JSON."""


def verdict(content: bytes) -> Entries | None:
    """Return the dtype, shape and bytes of each array by name, None of what is no such file.

    The library's word, and the two sentences of the format that it does not hold to: the header
    begins with a brace, and has no name twice.
    """
    try:
        entries = safetensors.deserialize(content)
        header = content[8 : 8 + int.from_bytes(content[:8], "little")]
        json.loads(header, object_pairs_hook=_once)
    except (safetensors.SafetensorError, Twice):
        return None
    return entries if header[:1] == b"{" else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Twice
    return dict(pairs)


def is_for_numpy(entries: Entries) -> bool:
    """Whether NumPy can have the arrays of a file."""
    try:
        for _, entry in entries:
            np.empty(entry["shape"], np.uint8)
    except (OverflowError, ValueError):
        return False
    return all(entry["dtype"] not in PACKED for _, entry in entries)


def fault(content: bytes, path: Path) -> str | None:
    """Return what is wrong with what portanet does with a file, None if nothing is."""
    path.write_bytes(content)
    wanted = verdict(content)
    start = time.perf_counter()
    arrays, metadata, tree = (
        _outcome(call) for call in (lambda: _library.read(str(path))[0],
                                    lambda: files.metadata(path), lambda: files.load(path))
    )  # fmt: skip
    if time.perf_counter() - start > SLOW:
        return "slow"
    for found in (arrays, metadata, tree):
        if isinstance(found, Exception) and not isinstance(found, PortanetError):
            return f"a raw {type(found).__name__}: {found}"
        if wanted is None and not isinstance(found, PortanetError):
            return f"accepted: {found!r}"
    if wanted is None:
        return None
    if isinstance(metadata, PortanetError):
        return f"the metadata is refused: {metadata}"
    if isinstance(arrays, PortanetError):
        return f"refused: {arrays}" if is_for_numpy(wanted) else None
    return _difference(wanted, arrays, content)


def _outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:  # of any class: which one is what is asked
        return error


def _difference(wanted: Entries, arrays: dict[str, np.ndarray], content: bytes) -> str | None:
    if len(wanted) != len(arrays):
        return f"names {sorted(arrays)} != {sorted(name for name, _ in wanted)}"
    for name, entry in wanted:
        x = arrays[name]
        if list(x.shape) != entry["shape"] or x.tobytes() != entry["data"]:
            return f"{name!r} is {x!r}, not {entry}"
    own = _outcome(lambda: safetensors.numpy.load(content))
    if not isinstance(own, Exception) and any(own[n].dtype != arrays[n].dtype for n in own):
        return f"dtypes of {arrays} != {own}"
    return None


def run(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Try the files of `count` seeds; return how many were sound and refused, and the faults."""
    counts: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "case.safetensors")
        for number in range(seed, seed + count):
            content = file_of(np.random.default_rng(number))
            counts["refused" if verdict(content) is None else "sound"] += 1
            text = fault(content, path)
            if text is not None:
                faults.append(f"seed {number}: {text[:300]}")
    return counts, faults
