"""Trees in files of one format or another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from portanet import devices
from portanet.devices import Device
from portanet.errors import ArgumentError
from portanet.io import _entries, _leaves, _library
from portanet.io._formats import Format
from portanet.io.atomic import replace
from portanet.io.matching import Only, matched_arrays

Path: TypeAlias = str | os.PathLike[str]


def save(form: Format, path: Path, tree: Any, metadata: Mapping[str, str] | None) -> None:
    """Write the arrays of a tree to a file, named by their dotted paths."""
    target = _library.checked_path(path)
    leaves, empty = _entries.named(_entries.plain(tree))
    notes = {**_checked_notes(metadata), **_entries.note(empty)}
    arrays = {name: _leaves.stored(name, leaf, form.dtypes) for name, leaf in leaves.items()}
    replace(target, form.content_of(arrays, notes))


def _checked_notes(metadata: Any) -> Mapping[str, str]:
    if metadata is None:
        return {}
    texts = isinstance(metadata, Mapping) and all(
        isinstance(x, str) for pair in metadata.items() for x in pair
    )
    if not texts:
        raise ArgumentError("metadata is a dict of str to str: convert its values with str or json")
    if _entries.NOTE in metadata:
        raise ArgumentError(f"metadata: {_entries.NOTE!r} is portanet's own: take another name")
    return metadata


def load(
    form: Format,
    path: Path,
    like: Any,
    device: Any,
    *,
    only: Only | None = None,
    width: bool = True,
) -> Any:
    """Read a tree from a file; see `portanet.io.safetensors.load`."""
    place = place_of(device)
    source = _library.checked_path(path)
    if like is None and only is not None:
        raise ArgumentError("only chooses entries of like: give both")
    arrays, notes = form.read(source)
    if like is not None:
        return matched_arrays(source, arrays, like, place, only=only, width=width)
    placed = {name: _leaves.placed(name, x, place) for name, x in arrays.items()}
    return _entries.nested(placed, _entries.noted(source, notes))


def metadata(form: Format, path: Path) -> dict[str, str]:
    """Return the notes that a file was saved with."""
    notes = form.read_metadata(_library.checked_path(path))
    return {name: text for name, text in notes.items() if name != _entries.NOTE}


def place_of(device: Any) -> Device | None:
    """Return the device of what an argument `device` is, None without one."""
    return device if device is None or isinstance(device, Device) else devices.device(device)
