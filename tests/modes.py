"""The ways in which a function of arrays can be run: each gives what the plain call gives."""

from __future__ import annotations

import contextlib

import numpy as np

import portanet as pn
from portanet.backends import is_floating
from portanet.errors import NoDerivativeError


def _recorded(function, *arrays):
    recorded = pn.jit(function)
    recorded(*arrays)
    return recorded(*arrays)  # a replay


def _one_of_a_batch(function, *arrays):
    results = pn.vmap(function)(*(x[None, ...] for x in arrays))
    if isinstance(results, list | tuple):
        return [y[0, ...] for y in results]
    return results[0, ...]


def _forward(function, *arrays):
    return pn.jvp(function, arrays, tuple(map(pn.array_namespace(*arrays).ones_like, arrays)))[0]


def _reverse(function, *arrays):
    """The value, after the pullback has shown that it takes the same call."""
    value, pullback = pn.vjp(function, *arrays)
    results = value if isinstance(value, list | tuple) else [value]
    if all(is_floating(y) for y in results):
        ones = [pn.array_namespace(y).ones_like(y) for y in results]
        kind = getattr(type(value), "_make", type(value))
        with contextlib.suppress(NoDerivativeError):
            parts = pullback(kind(ones) if isinstance(value, list | tuple) else ones[0])
            assert [(g.shape, g.dtype) for g in parts] == [(x.shape, x.dtype) for x in arrays]
    return value


MODES = {
    "vjp": _reverse,
    "jvp": _forward,
    "jit": _recorded,
    "vmap": _one_of_a_batch,
}
DERIVATIVES = ("vjp", "jvp")


def modes_of(*arrays):
    """The modes that take these arrays: derivatives are of floating-point numbers."""
    smooth = all(np.asarray(x).dtype.kind in "fc" for x in arrays)
    return {name: run for name, run in MODES.items() if smooth or name not in DERIVATIVES}


def attempt(run, *args):
    """The result of a call as a list of arrays, or the error with which it is refused."""
    try:
        with np.errstate(all="ignore"):
            result = run(*args)
    except Exception as error:
        return error
    return list(result) if isinstance(result, list | tuple) else [result]
