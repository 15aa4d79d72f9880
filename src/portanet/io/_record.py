"""What is in the file of a checkpoint: a tree, and what belongs to it, under a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError, CheckpointError, shown
from portanet.io import _entries, _leaves
from portanet.io._formats import Format
from portanet.io._structure import contents, described, rebuilt

VERSION = 1
"""Of what is written here. A file of a greater one is not read."""

_NOTE, _DIGEST = "portanet.checkpoint", "portanet.checkpoint.blake2b"
"""The entries of a file's metadata: JSON, and the checksum of that text and all arrays."""


@dataclass(frozen=True)
class Record:
    """A tree of dicts, lists, tuples and leaves; what was measured; where a loader was."""

    tree: Any
    metrics: dict[str, float]
    loader: Any


def content_of(form: Format, record: Record) -> bytes:
    """Return the bytes of a file."""
    tree = _entries.plain(record.tree)
    contents(tree)  # each path once
    node, arrays = described(tree, lambda name, x: _leaves.stored(name, x, form.dtypes))
    note = {"version": VERSION, "tree": node, "metrics": record.metrics, "loader": record.loader}
    try:
        text = json.dumps(note)
    except RecursionError:
        trees.refuse_depth()
    except (TypeError, ValueError):
        raise ArgumentError(
            f"the state of a loader is what JSON can say: got {shown(record.loader)}"
        ) from None
    return form.content_of(arrays, {_NOTE: text, _DIGEST: _digest(text, arrays)})


def read(form: Format, path: str) -> Record:
    """Return what is in a file.

    Raises
    ------
    CheckpointError
        If it is damaged, no checkpoint, or of another version.
    """
    try:
        arrays, metadata = form.read(path)
    except ArgumentError as error:
        raise CheckpointError(f"{path!r} is damaged: {error}") from error
    note = _note(path, metadata)
    if metadata.get(_DIGEST) != _digest(metadata[_NOTE], arrays):
        raise CheckpointError(f"{path!r} is damaged: its BLAKE2b checksum is another one")
    try:
        return Record(rebuilt(note["tree"], arrays), note["metrics"], note["loader"])
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path!r} is not what portanet writes: {error!r}") from error


def read_metrics(form: Format, path: str) -> dict[str, float]:
    """Return what was measured, of a file of which the arrays are not read."""
    try:
        metadata = form.read_metadata(path)
    except ArgumentError as error:
        raise CheckpointError(f"{path!r} is damaged: {error}") from error
    metrics = _note(path, metadata).get("metrics")
    if not isinstance(metrics, dict):
        raise CheckpointError(f"{path!r} is not what portanet writes: its metrics are {metrics!r}")
    return metrics


def _note(path: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _NOTE not in metadata:
        raise CheckpointError(f"{path!r} is no checkpoint: it has no {_NOTE!r} in its metadata")
    try:
        note = json.loads(metadata[_NOTE])
        version = note["version"]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path!r} is damaged: {error!r} in its metadata") from error
    if version != VERSION:
        raise CheckpointError(
            f"{path!r} has version {version}, not {VERSION}: read it with the portanet that wrote "
            f"it, or a later one"
        )
    return note


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = blake2b(text.encode(), digest_size=32)
    for name, x in sorted(arrays.items()):
        digest.update(json.dumps([name, x.dtype.name, x.shape]).encode())
        flat = np.ascontiguousarray(x, x.dtype.newbyteorder("<")).reshape(-1)
        digest.update(flat.view(np.uint8).data)
    return digest.hexdigest()
