"""The library `safetensors`: it alone reads and writes the format; here are its stable doors.

Of its interfaces, `deserialize`, `safe_open` and `safetensors.numpy.save` are the same from 0.4.5
on. `serialize` is not, and `safe_open` refuses the floats that NumPy lacks.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, BackendNotAvailableError, DTypeError, ShapeError, shown
from portanet.io import _dtypes

_METADATA = "__metadata__"


def checked_path(path: Any) -> str:
    """Return a path as text."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise ArgumentError(f"path is a str or an os.PathLike: got {shown(path)}") from None
    if not text or "\0" in text:
        raise ArgumentError(f"path names a file: got {text!r}")
    return text


def check_regular(path: str, mode: int) -> None:
    """Refuse what is no file of its own, such as a directory, a pipe or a device."""
    if not stat.S_ISREG(mode):
        raise ArgumentError(f"{path!r} is no regular file")


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of a file by name, and its metadata, both of one moment.

    The file is opened once, so one that is replaced meanwhile is read as it was.
    """
    library = _library()
    check_regular(path, os.stat(path).st_mode)
    with open(path, "rb") as file:
        content = file.read()
    try:
        entries = library.deserialize(content)
    except library.SafetensorError as error:
        raise _refused(path, error) from error
    header = _header(path, content[8 : 8 + int.from_bytes(content[:8], "little")])
    arrays = {name: _array(name, entry) for name, entry in sorted(entries)}
    return arrays, header.get(_METADATA) or {}


def _header(path: str, text: bytes) -> dict[str, Any]:
    """Return a header that the library accepts, if the format allows it too.

    The format wants a brace first and no name twice, of which a reader that takes the first and one
    that takes the last would see different arrays. The library lets both pass.
    """
    try:
        if text.startswith(b"{"):
            return json.loads(text, object_pairs_hook=_unique)
        raise ValueError("the header does not begin with a brace")
    except (RecursionError, ValueError) as error:
        raise _refused(path, error) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the header has a name twice")
    return found


def _array(name: str, entry: Mapping[str, Any]) -> np.ndarray:
    dtype = _dtypes.of_code(name, entry["dtype"])
    x = np.frombuffer(entry["data"], dtype.newbyteorder("<")).astype(dtype, copy=False)
    try:
        return x.reshape(entry["shape"])
    except (OverflowError, ValueError) as error:
        raise ShapeError(f"{name!r}: NumPy has no such shape: {error}") from error


def read_metadata(path: str) -> dict[str, str]:
    """Return the metadata of a file, of which no more than the header is read."""
    library = _library()
    check_regular(path, os.stat(path).st_mode)
    try:
        with library.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except library.SafetensorError as error:
        raise _refused(path, error) from error
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        _header(path, file.read(min(length, os.fstat(file.fileno()).st_size)))
    return metadata


def content_of(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file with these arrays."""
    library = _library()
    from safetensors.numpy import save

    if _METADATA in arrays:
        raise ArgumentError(f"{_METADATA!r} is the format's own name: give the entry another one")
    try:
        return save({name: _stored(x) for name, x in arrays.items()}, dict(metadata) or None)
    except library.SafetensorError as error:
        raise DTypeError(f"safetensors {library.__version__} cannot write this: {error}") from error
    except UnicodeError as error:
        raise ArgumentError(f"names and metadata are Unicode text: {error}") from error


def _stored(x: np.ndarray) -> np.ndarray:
    """Return an array as the library wants it: it takes the memory as it lies."""
    return np.asarray(x, x.dtype.newbyteorder("="), order="C")


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise BackendNotAvailableError(
            'files of safetensors need that library: pip install "portanet[safetensors]"'
        ) from error
    return safetensors


def _refused(path: str, error: Exception) -> ArgumentError:
    return ArgumentError(f"{path!r} is no safetensors file, or not all of one: {error}")
