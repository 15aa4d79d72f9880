"""Bytes that are files of safetensors, nearly such, or something else, made at random."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

WIDTHS = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8, "f32": 4,
}  # fmt: skip
NAMES = ("a", "b", "layer_1.weight", "layer_1", "layer_1.bias", "", ".", "é", "__metadata__", "\n")
ODD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3.0, 0.5, 1e400, 2**31, 2**53 + 1, 2**63, 2**64, 10**30),
    *("", "x", "F32", "NaN", [], [1], [[1]], {}, {"a": 1}, [0, 2**63], [1] * 65, [0, 0, 16]),
)
LENGTHS = (0, 1, 7, 8, 2**31, 99_999_999, 100_000_001, 2**40, 2**63, 2**64 - 1)


def file_of(rng: Rng) -> bytes:
    """Return the bytes of one file."""
    header, data = _sound(rng)
    for _ in range(_choice(rng, (0, 0, 1, 2))):
        header = _bent(rng, header)
    text = _text(rng, header)
    length = _choice(rng, LENGTHS) if rng.random() < 0.03 else len(text)
    content = struct.pack("<Q", length) + text + data
    for _ in range(rng.integers(0, 3) if rng.random() < 0.3 else 0):
        content = _choice(rng, MUTATIONS)(rng, content)
    return content


def _choice(rng: Rng, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _sound(rng: Rng) -> tuple[dict[str, Any], bytes]:
    """Return a header and data that fit each other."""
    header: dict[str, Any] = {}
    if rng.random() < 0.4:
        notes = {"": {}, "k": {"k": "v", "é": ""}, "own": {"portanet": '{"empty": ["x"]}'}}
        header["__metadata__"] = notes[_choice(rng, tuple(notes))]
    end = 0
    for name in rng.permutation(len(NAMES))[: rng.integers(0, 4)]:
        dtype = _choice(rng, tuple(WIDTHS))
        shape = rng.integers(0, 4, size=rng.integers(0, 4)).tolist()
        size = int(np.prod(shape)) * WIDTHS[dtype]
        entry = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        header[NAMES[int(name)]] = entry
        end += size
    return header, rng.bytes(end)


def _bent(rng: Rng, header: dict[str, Any]) -> dict[str, Any]:
    """Return a header of which one thing is another."""
    if not header or rng.random() < 0.05:
        return {**header, _choice(rng, NAMES): _choice(rng, ODD)}
    name = _choice(rng, tuple(header))
    entry = header[name]
    if not isinstance(entry, dict) or rng.random() < 0.1:
        return {**header, name: _choice(rng, ODD)}
    key = _choice(rng, ("dtype", "shape", "data_offsets", "more"))
    value = entry.get(key)
    kind = rng.random()
    if kind < 0.1:
        return {**header, name: {k: v for k, v in entry.items() if k != key}}
    if kind < 0.5 and isinstance(value, list) and value:
        value = list(value)
        place = int(rng.integers(len(value)))
        shift = isinstance(value[place], int) and rng.random() < 0.5
        step = int(rng.integers(-8, 9))
        value[place] = value[place] + step if shift else _choice(rng, ODD)
        return {**header, name: {**entry, key: value}}
    if kind < 0.7:
        return {**header, _choice(rng, NAMES): entry}
    dtype = _choice(rng, tuple(WIDTHS))
    return {**header, name: {**entry, key: dtype if key == "dtype" else _choice(rng, ODD)}}


def _text(rng: Rng, header: dict[str, Any]) -> bytes:
    text = json.dumps(header, ensure_ascii=bool(rng.random() < 0.5))
    kind = int(rng.integers(60))
    if kind < len(SPELLINGS):
        return SPELLINGS[kind](text)
    return text.encode() + b" " * (-len(text.encode()) % 8 if kind < 40 else 0)


def _twice(text: str) -> bytes:
    inner = text[1:-1]
    return f"{{{inner},{inner}}}".encode() if inner else text.encode()


SPELLINGS: tuple[Callable[[str], bytes], ...] = (
    _twice,
    lambda text: b" \n" + text.encode(),
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode() + b"\0",
    lambda text: text.encode() + b"{}",
    lambda text: b"[" * 2000 + text.encode() + b"]" * 2000,
    lambda text: text.replace('"', "'").encode(),
    lambda text: text.replace(",", ",\n ").encode(),
    lambda text: text.replace('"a"', '"\\u0061"').encode(),
    lambda text: text.replace('"a"', '"\\ud800"').encode(),
    lambda text: text.replace("}", ",}").encode(),
    lambda text: text.replace("0", "-0").encode(),
    lambda text: text.replace("1", "1e0").encode(),
)


def _flipped(rng: Rng, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if out:
            out[int(rng.integers(len(out)))] = int(rng.integers(256))
    return bytes(out)


def _cut(rng: Rng, content: bytes) -> bytes:
    return content[: rng.integers(0, len(content) + 1)]


def _without(rng: Rng, content: bytes) -> bytes:
    start, end = sorted(rng.integers(0, len(content) + 1, size=2).tolist())
    return content[:start] + content[end:]


def _with(rng: Rng, content: bytes) -> bytes:
    start = int(rng.integers(0, len(content) + 1))
    return content[:start] + rng.bytes(int(rng.integers(1, 9))) + content[start:]


MUTATIONS = (_flipped, _cut, _without, _with)
