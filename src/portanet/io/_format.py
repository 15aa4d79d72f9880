"""The safetensors format: a header in JSON that names arrays, and their bytes one after another.

A file begins with the length of the header, eight bytes, little end first. The header maps the
name of each array to its dtype, its shape and where its bytes begin and end, counted from the end
of the header.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from portanet.errors import ArgumentError, DTypeError

_NUMPY = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16",
    "U32": "uint32", "I32": "int32", "F32": "float32", "U64": "uint64", "I64": "int64",
    "F64": "float64", "C64": "complex64",
}  # fmt: skip
_CODES = {name: code for code, name in _NUMPY.items()}
_METADATA = "__metadata__"


class Stored(NamedTuple):
    """An array of a file: a NumPy array, float32 in the place of the bfloat16 that NumPy lacks."""

    array: np.ndarray
    bfloat16: bool


def write(path: str | os.PathLike[str], arrays: Mapping[str, Stored], metadata: Any) -> None:
    """Write arrays to a file, which is replaced only when all of it has been written."""
    if metadata is not None and not _is_text(metadata):
        raise ArgumentError("metadata is a dict of str to str: convert its values with str or json")
    header: dict[str, Any] = {} if metadata is None else {_METADATA: dict(metadata)}
    chunks, end = [], 0
    for name, stored in arrays.items():
        code, chunk = _encoded(name, stored)
        header[name] = {
            "dtype": code,
            "shape": list(stored.array.shape),
            "data_offsets": [end, end + len(chunk)],
        }
        end += len(chunk)
        chunks.append(chunk)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = Path(path)
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(text).to_bytes(8, "little"))
            file.write(text)
            file.writelines(chunks)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise


def _is_text(metadata: Any) -> bool:
    return isinstance(metadata, Mapping) and all(
        isinstance(x, str) for pair in metadata.items() for x in pair
    )


def _encoded(name: str, stored: Stored) -> tuple[str, bytes]:
    x = stored.array
    if stored.bfloat16:
        bits = np.ascontiguousarray(x, np.float32).view(np.uint32) >> 16
        return "BF16", bits.astype("<u2").tobytes()
    code = _CODES.get(x.dtype.name)
    if code is None:
        raise DTypeError(
            f"{name!r}: the format has no dtype {x.dtype.name}: it has {', '.join(_CODES)} and "
            "bfloat16"
        )
    return code, x.astype(x.dtype.newbyteorder("<"), copy=False).tobytes()


def read_header(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, str], int]:
    """Return the entries of a file's header, its metadata, and where the bytes begin."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ArgumentError(f"{str(path)!r} is no safetensors file, or only the first part")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop(_METADATA, {})
            for name, entry in header.items():
                _check(name, entry, size - 8 - length)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArgumentError(f"{str(path)!r} is no safetensors file: {error}") from error
    return header, metadata, 8 + length


def _check(name: str, entry: Any, size: int) -> None:
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    width = 2 if entry["dtype"] == "BF16" else np.dtype(_NUMPY.get(entry["dtype"], "u1")).itemsize
    known = entry["dtype"] == "BF16" or entry["dtype"] in _NUMPY
    whole = not known or end - begin == math.prod(shape) * width
    if not (0 <= begin <= end <= size and whole and all(n >= 0 for n in shape)):
        raise ValueError(f"{name!r} has {entry} in {size} bytes")


def read(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Return the arrays of a file by their names."""
    header, _, start = read_header(path)
    found = {}
    with open(path, "rb") as file:
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            found[name] = _decoded(name, entry, file.read(end - begin))
    return found


def _decoded(name: str, entry: Any, chunk: bytes) -> Stored:
    code, shape = entry["dtype"], entry["shape"]
    if code == "BF16":
        bits = np.frombuffer(chunk, "<u2").astype(np.uint32) << 16
        return Stored(bits.view(np.float32).reshape(shape), True)
    if code not in _NUMPY:
        raise DTypeError(f"{name!r} has dtype {code}: known are {', '.join(_NUMPY)} and BF16")
    dtype = np.dtype(_NUMPY[code])
    x = np.frombuffer(chunk, dtype.newbyteorder("<")).astype(dtype)
    return Stored(x.reshape(shape), False)
