"""NumPy's own files of several arrays: a zip of `.npy` files, without pickles.

What they cannot say is in one entry more: the metadata, and which arrays have dtypes that NumPy
has not, of which the bits are written as integers.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy

from portanet.errors import ArgumentError, DTypeError, PortanetError
from portanet.io import _dtypes
from portanet.io._library import check_regular

_NOTES = "__metadata__"
_ENDING = ".npy"


def content_of(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file with these arrays."""
    for name in arrays:
        if name == _NOTES or "\0" in name:
            raise ArgumentError(f"an entry cannot be called {name!r}: give it another name")
    narrow = {name: x.dtype.name for name, x in arrays.items() if _dtypes.is_narrow(x.dtype)}
    notes = json.dumps({"metadata": dict(metadata), "narrow": narrow}).encode()
    file = io.BytesIO()
    try:
        with zipfile.ZipFile(file, "w") as archive:
            _put(archive, _NOTES, np.frombuffer(notes, np.uint8))
            for name, x in arrays.items():
                _put(archive, name, x.view(f"u{x.dtype.itemsize}") if name in narrow else x)
    except (UnicodeError, struct.error) as error:
        raise ArgumentError(f"names are Unicode text, shorter than 65536 bytes: {error}") from error
    return file.getvalue()


def _put(archive: zipfile.ZipFile, name: str, x: np.ndarray) -> None:
    with archive.open(f"{name}{_ENDING}", "w", force_zip64=True) as entry:
        npy.write_array(entry, x, allow_pickle=False)


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of a file by name, and its metadata, both of one moment."""
    check_regular(path, os.stat(path).st_mode)
    with open(path, "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with zipfile.ZipFile(content) as archive:
            notes = _notes(archive)
            names = [name for name in _names(archive) if name != _NOTES]
            arrays = {name: _get(archive, name) for name in sorted(names)}
    except PortanetError:
        raise
    except Exception as error:  # whatever the parsers of zip, npy and JSON raise
        raise _refused(path, error) from error
    for name, dtype in notes["narrow"].items():
        if name in arrays:
            arrays[name] = _narrowed(name, arrays[name], dtype)
    for name, x in arrays.items():
        _dtypes.check_known(name, x.dtype.name, _dtypes.NPZ)
    return arrays, notes["metadata"]


def read_metadata(path: str) -> dict[str, str]:
    """Return the metadata of a file, of which the arrays are not read."""
    check_regular(path, os.stat(path).st_mode)
    try:
        with zipfile.ZipFile(path) as archive:
            return _notes(archive)["metadata"]
    except OSError:
        raise
    except Exception as error:  # as above
        raise _refused(path, error) from error


def _names(archive: zipfile.ZipFile) -> list[str]:
    names = [info.filename for info in archive.infolist()]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice")
    wrong = [name for name in names if not name.endswith(_ENDING)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no array")
    return [name.removesuffix(_ENDING) for name in names]


def _get(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}{_ENDING}") as entry:
        x = npy.read_array(entry, allow_pickle=False)
        if entry.read(1):  # to the end, where the checksum is compared
            raise ValueError(f"there is more than an array in {name!r}")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def _narrowed(name: str, x: np.ndarray, dtype: str) -> np.ndarray:
    wanted = _dtypes.narrow(dtype)
    if x.dtype.kind != "u" or x.dtype.itemsize != wanted.itemsize:
        raise DTypeError(f"{name!r}: {dtype} is written as integers of its bits: got {x.dtype}")
    return x.view(wanted)


def _notes(archive: zipfile.ZipFile) -> dict[str, Any]:
    if f"{_NOTES}{_ENDING}" not in archive.namelist():
        return {"metadata": {}, "narrow": {}}
    notes = json.loads(_get(archive, _NOTES).tobytes())
    parts = {name: notes[name] for name in ("metadata", "narrow")}
    if not all(isinstance(text, str) for part in parts.values() for text in part.values()):
        raise ValueError("the notes are no texts")
    return parts


def _refused(path: str, error: Exception) -> ArgumentError:
    return ArgumentError(f"{path!r} is no npz file, or not all of one: {error}")
