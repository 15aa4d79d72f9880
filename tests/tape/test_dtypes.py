"""dtype in, dtype out: in every mode, at every order, for every floating type a library has."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

A = np.asarray([0.5, -0.75, 1.25])
NAMES = ("float16", "bfloat16", "float32", "float64", "longdouble", "complex64", "complex128")
REAL_ONLY = {"maximum", "max", "clip", "sort", "remainder", "std", "var"}

PROGRAMS = {
    "scaled": lambda xp, x: 0.5 * x * x + 1.0,
    "smooth": lambda xp, x: xp.tanh(x) * xp.exp(-x) / (x * x + 2.0),
    "power": lambda xp, x: (x * x + 1.0) ** 0.5 + x**3 + 2.0**x,
    "mean": lambda xp, x: xp.mean(x * x) * x,
    "std": lambda xp, x: xp.std(x) * x,
    "var": lambda xp, x: xp.var(x, correction=1.0) * x,
    "prod": lambda xp, x: xp.prod(x) + x,
    "cumulative": lambda xp, x: xp.cumulative_sum(x * x),
    "max": lambda xp, x: xp.max(x) * x,
    "maximum": lambda xp, x: xp.maximum(x, x * x) + xp.minimum(x, 0.25 * x),
    "clip": lambda xp, x: xp.clip(x, -0.6, 0.6) * x,
    "where": lambda xp, x: xp.where(xp.real(x) > 0 if _complex(xp, x) else x > 0, x * x, 2.0 * x),
    "abs": lambda xp, x: xp.abs(x) * 2.0,
    "combined": lambda xp, x: xp.concat([x * x, xp.stack([x[0], x[1] * 2.0])]),
    "indexed": lambda xp, x: x[1:] * x[0] + xp.flip(x)[:2],
    "product": lambda xp, x: xp.reshape(x, (3, 1)) @ xp.reshape(x, (1, 3)),
    "broadcast": lambda xp, x: xp.broadcast_to(x, (2, 3)) * xp.expand_dims(x, axis=0),
    "sort": lambda xp, x: xp.sort(x) * x,
    "remainder": lambda xp, x: xp.remainder(x, 0.4) * x,
    "logaddexp": lambda xp, x: xp.log(xp.exp(x) + xp.exp(2.0 * x)),
}


def _complex(xp, x):
    return xp.isdtype(x.dtype, "complex floating")


@pytest.fixture(params=NAMES)
def x(request, backend):
    name = request.param
    host = A.astype({"bfloat16": "float32", "longdouble": np.longdouble}.get(name, name))
    try:
        dtype = backend.dtype(name)
        return backend.xp.astype(backend.asarray(host), dtype)
    except (pn.errors.DTypeError, TypeError, AttributeError):
        pytest.skip(f"{backend} has no {name}")


@pytest.fixture(params=PROGRAMS)
def scalar(request, backend, x):
    """A program of real value: the sum of the real part of what it computes."""
    if backend.name == "jax" and request.param not in ("scaled", "smooth", "where"):
        pytest.skip("the rules are JAX's own, and compiling each takes long")
    xp, program = backend.xp, PROGRAMS[request.param]
    if _complex(xp, x) and request.param in REAL_ONLY:
        pytest.skip("defined for real numbers only")

    def function(x):
        y = program(xp, x)
        return xp.sum(xp.real(y) if _complex(xp, y) else y)

    return function


def test_every_mode_and_order(backend, x, scalar, request):
    xp = backend.xp
    value, gradient = pn.value_and_grad(scalar)(x)
    real = xp.real(x).dtype if _complex(xp, x) else x.dtype
    assert value.dtype == real
    assert gradient.dtype == x.dtype
    assert gradient.shape == x.shape
    assert pn.jvp(scalar, (x,), (x,))[1].dtype == real

    def slope(x):
        g = pn.grad(scalar)(x)
        return xp.sum(xp.real(g) if _complex(xp, g) else g)

    assert pn.grad(slope)(x).dtype == x.dtype
    assert pn.jvp(pn.grad(scalar), (x,), (x,))[1].dtype == x.dtype
    assert pn.grad(lambda y: pn.jvp(scalar, (y,), (x,))[1])(x).dtype == x.dtype
    if backend.name == "torch" and request.node.callspec.params["scalar"] == "std":
        return  # torch's own third derivative raises here
    assert pn.grad(lambda y: pn.jvp(slope, (y,), (x,))[1])(x).dtype == x.dtype
