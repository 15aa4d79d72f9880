"""Calling a function jitted and not, twice, and holding the results against each other."""

from __future__ import annotations

import numpy as np

import portanet as pn
from portanet import trees
from portanet.backends import backend_of, is_array


def check_same(actual, expected, rtol=1e-12, atol=1e-12):
    """Two trees have one structure, types, dtypes and shapes, and nearly the same numbers."""
    found, structure = trees.flatten(actual)
    wanted, other = trees.flatten(expected)
    assert structure == other
    for a, e in zip(found, wanted, strict=True):
        assert type(a) is type(e)
        if not is_array(e):
            assert a == e
            continue
        assert a.dtype == e.dtype
        assert a.shape == e.shape
        backend = backend_of(e)
        assert backend.device_of(a) == backend.device_of(e)
        a, e = (np.asarray(backend.to_numpy(x)) for x in (a, e))
        np.testing.assert_allclose(a, e, rtol=rtol, atol=atol)


def check_jitted(function, *args, rtol=1e-12, atol=1e-12, **kwargs):
    """Jitted, a function returns the same when it is recorded and twice when it is replayed."""
    jitted = pn.jit(function)
    expected = function(*args, **kwargs)
    for _ in range(3):
        check_same(jitted(*args, **kwargs), expected, rtol, atol)
    assert jitted.cache_info()[:3] == (2, 1, 1)
    return jitted
