"""What a library refuses is refused inside every trace, and nothing else: bad arguments, swept.

The plain call is the oracle. A fixed share of all calls runs, and with ``PORTANET_SWEEPS=1`` a
larger one.
"""

from __future__ import annotations

import os
import warnings
import zlib

import numpy as np
import pytest
from modes import attempt, modes_of
from standard_calls import CALLS

from portanet.tape.capabilities import STANDARD, State, tape_state

THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))
SHARE = 7 if THOROUGH else 97

POOL = {
    "0-d": np.asarray(0.7),
    "vector": np.asarray([0.3, -0.7, 1.2]),
    "single": np.asarray([0.4], np.float32),
    "matrix": np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]]),
    "turned": np.asarray([[0.3, 0.9], [-0.7, 0.4], [1.2, -1.6]]),
    "square": np.asarray([[2.1, 0.3, 0.2], [0.3, 1.7, -0.4], [0.2, -0.4, 1.4]]),
    "stack": np.cos(np.arange(12.0)).reshape(2, 2, 3),
    "nothing": np.ones((0, 3)),
    "complex": np.asarray([[1 + 2j, -0.5j, 3], [0.1, 2 - 1j, 1j]]),
    "whole": np.asarray([[3, 1, 2], [0, 2, 1]]),
    "bytes": np.asarray([200, 100, 3], np.uint8),
    "truths": np.asarray([[True, False, True], [False, False, True]]),
}
AXES = [0, 1, -1, -2, 5, -7, 1.5, "x", None, (0, 1), (0, 0), (), (5,)]
OPTIONS: dict[str, list] = {
    "axis": AXES,
    "axes": [*AXES, (1, 0), ((0,), (0,)), ((1,), (0,)), ((5,), (0,)), ((0, 1), (0,)), 3, -1],
    "keepdims": [True],
    "dtype": ["float32", "nonsense", int],
    "copy": [True, False],
    "n": [-1, 0, 1.5, 7, "x"],
    "s": [(2,), (2, 2), (0, 1), (-1, 3), "x"],
    "norm": ["ortho", "zz"],
    "indexing": ["ij", "zz"],
    "k": [1, -9, 1.5],
    "offset": [1, -9, 1.5],
    "ord": [0, 1, np.inf, "nuc", "zz", 3],
    "mode": ["complete", "zz"],
    "upper": [True],
    "full_matrices": [False],
    "correction": [1, 2.5, "x"],
    "include_initial": [True],
    "descending": [True],
    "rtol": [0.1],
    "invert": [True],
    "side": ["right", "zz"],
    "unknown": [1],
}
SECOND: dict[str, list] = {
    "broadcast_to": [(2, 3), (3,), 3, (2, 2, 3), (5, 1), "x"],
    "expand_dims": [],
    "moveaxis": [],
    "permute_dims": [(0,), (1, 0), (-1, 0), (0, 0), (5, 0), 1.5],
    "repeat": [0, 2, -1, 1.5, [1, 2], [1, 2, 0], "x"],
    "reshape": [(-1,), -1, (6,), (3, 2), (4,), (-1, -1), 1.5],
    "roll": [1, (1, 1), 1.5, -7],
    "tile": [2, (2, 1), (1, 2, 1), (), 1.5],
    "linalg.matrix_power": [0, 1, 3, -1, 1.5],
    "astype": [np.float32, np.complex64, np.int32, "nonsense"],
}
NAMES = [
    name
    for names in STANDARD.values()
    for name in names
    if tape_state(name)[0] in (State.WORKS, State.ZERO)
]
BEYOND = "that the Array API standard does not have"  # the documented refusal
PAIRS = {name for name, calls in CALLS.items() if any(len(arrays) == 2 for _, arrays in calls)}
PAIRS -= {"repeat"}
# A result whose size depends on values has none in a batch or a recording.
KNOWN = (BEYOND, "the shape of the result would be another", "the shape of its result depends")
CONSTRUCTORS = {"full", "empty_like"}  # the first argument is a shape; the values are arbitrary


def _find(xp, name):
    for part in name.split("."):
        xp = getattr(xp, part)
    return xp


def _calls(name):
    """Yield a text, a call and its arrays."""
    together = name in ("concat", "stack")
    for first, x in POOL.items():
        for key, values in {"": [None], **OPTIONS}.items():
            for value in values:
                options = {key: value} if key else {}
                text = f"{name}({first}, {options})"
                if together:
                    yield text, lambda f, x, o=options: f([x, x], **o), (x,)
                    continue
                for other in SECOND.get(name, []):
                    yield (
                        f"{text[:-1]}, {other!r})",
                        lambda f, x, o=options, y=other: f(x, y, **o),
                        (x,),
                    )
                if name not in SECOND:
                    yield text, lambda f, x, o=options: f(x, **o), (x,)
        for second, y in POOL.items() if name in PAIRS else ():
            for options in ({}, {"axis": 1}, {"axis": -1}, {"axes": 1}, {"axes": ((1,), (0,))}):
                text = f"{name}({first}, {second}, {options})"
                if together:
                    yield text, lambda f, x, y, o=options: f([x, y], **o), (x, y)
                else:
                    yield text, lambda f, x, y, o=options: f(x, y, **o), (x, y)


def _is_chosen(text):
    return zlib.crc32(text.encode()) % SHARE == 0


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in CONSTRUCTORS])
@pytest.mark.filterwarnings("ignore")
def test_a_call_is_taken_or_refused_as_the_plain_one(backend, name):
    function = _find(backend.xp, name)
    wrong = []
    for text, call, arrays in filter(lambda case: _is_chosen(case[0]), _calls(name)):
        given = [backend.asarray(x.copy()) for x in arrays]
        plain = attempt(lambda *a, call=call: call(function, *a), *given)
        for mode, run in modes_of(*arrays).items():
            got = attempt(run, lambda *a, call=call: call(function, *a), *given)
            refused = isinstance(got, Exception)
            if refused and any(text in str(got) for text in KNOWN):
                continue
            if refused != isinstance(plain, Exception):
                wrong.append(f"{text} by {mode}: {got!r} instead of {plain!r}")
            elif not refused:
                wrong += [f"{text} by {mode}: {w}" for w in _differences(backend, plain, got)]
    assert not wrong, "\n".join([f"{len(wrong)} of {name}", *wrong[:40]])


def _differences(backend, plain, got):
    if len(plain) != len(got):
        yield f"{len(got)} results instead of {len(plain)}"
        return
    for wanted, found in zip(plain, got, strict=True):
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            yield f"{found.dtype}{found.shape} instead of {wanted.dtype}{wanted.shape}"
            continue
        a, b = backend.to_numpy(found), backend.to_numpy(wanted)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            if not np.allclose(a, b, rtol=1e-5 if a.itemsize < 8 else 1e-10, equal_nan=True):
                yield f"{a} instead of {b}"
