"""Random programs of standard functions, the same on every library in value, vjp and jvp.

The quick profile is fixed and short; ``PORTANET_SWEEPS=1`` chooses new programs, more of them,
and JAX too.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import portanet as pn

THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))
NAMES = [
    name
    for name in ("numpy", "array_api_strict", "torch", *(["jax"] if THOROUGH else []))
    if pn.backends.available().get(name, "unknown") is None
]
PROFILE = settings(
    max_examples=1000 if THOROUGH else 250,
    derandomize=not THOROUGH,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Each keeps numbers of moderate size and away from poles; most are smooth.
UNARY = {
    "sin": lambda xp, x: xp.sin(x),
    "cos": lambda xp, x: xp.cos(x),
    "tanh": lambda xp, x: xp.tanh(x),
    "atan": lambda xp, x: xp.atan(x),
    "asinh": lambda xp, x: xp.asinh(x),
    "exp": lambda xp, x: xp.exp(-xp.square(x)),
    "sqrt": lambda xp, x: xp.sqrt(xp.square(x) + 0.5),
    "log1p": lambda xp, x: xp.log1p(xp.square(x)),
    "expm1": lambda xp, x: xp.expm1(xp.tanh(x)),
    "reciprocal": lambda xp, x: xp.reciprocal(xp.square(x) + 1.0),
    "abs": lambda xp, x: xp.abs(x),
    "clip": lambda xp, x: xp.clip(x, -1.1, 1.3),
    "power": lambda xp, x: (xp.abs(x) + 0.3) ** 1.5,
    "sigmoid": lambda xp, x: pn.sigmoid(x),
    "softplus": lambda xp, x: pn.softplus(x),
    "softmax": lambda xp, x: pn.softmax(x, axis=0),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=x.ndim - 1) / 3,
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(xp.tanh(x), axis=0),
    "sort": lambda xp, x: xp.sort(x, axis=0),
    "flip": lambda xp, x: xp.flip(x, axis=-1),
    "roll": lambda xp, x: xp.roll(x, 1, axis=0),
    "tril": lambda xp, x: xp.tril(x),
    "transpose": lambda xp, x: xp.matrix_transpose(x),
    "standardised": lambda xp, x: x / (xp.std(x, axis=0, keepdims=True) + 1.0),
    "centred": lambda xp, x: x - xp.mean(x, axis=1, keepdims=True),
    "over the sum": lambda xp, x: x / (1.0 + xp.sum(xp.square(x))),
    "less the largest": lambda xp, x: x - xp.max(x, axis=-1, keepdims=True),
    "times the spread": lambda xp, x: x * xp.var(x),
    "times a product": lambda xp, x: x + xp.prod(xp.tanh(x), axis=0),
    "first row": lambda xp, x: x - x[:1, :],
    "masked": lambda xp, x: xp.where(x > 0.1, x, xp.square(x)),
    "unstacked": lambda xp, x: xp.stack(xp.unstack(x), axis=0) * 0.5,
    "split": lambda xp, x: xp.concat([x[1:, :], x[:1, :]], axis=0),
}  # fmt: skip
BINARY = {
    "add": lambda xp, a, b: a + b,
    "subtract": lambda xp, a, b: a - b,
    "multiply": lambda xp, a, b: a * xp.tanh(b),
    "divide": lambda xp, a, b: a / (1.0 + xp.square(b)),
    "maximum": lambda xp, a, b: xp.maximum(a, b),
    "minimum": lambda xp, a, b: xp.minimum(a, b),
    "hypot": lambda xp, a, b: xp.hypot(a, b + 0.5),
    "atan2": lambda xp, a, b: xp.atan2(a, xp.abs(b) + 0.5),
    "logaddexp": lambda xp, a, b: xp.logaddexp(a, b),
    "matmul": lambda xp, a, b: xp.tanh(a @ b),
    "tensordot": lambda xp, a, b: xp.tensordot(xp.sin(a), b, axes=((0,), (1,))),
    "vecdot": lambda xp, a, b: a * xp.expand_dims(xp.vecdot(xp.tanh(a), xp.tanh(b)), axis=-1),
    "where": lambda xp, a, b: xp.where(a > b, a, xp.sin(b)),
}  # fmt: skip

SIZE = 3
numbers = st.floats(-1.5, 1.5, allow_nan=False).map(lambda v: round(v, 3) + 0.0137)
arrays = st.lists(numbers, min_size=SIZE * SIZE, max_size=SIZE * SIZE, unique=True).map(
    lambda values: np.asarray(values).reshape(SIZE, SIZE)
)
# Values are numbered: a step computes a new one from earlier ones.
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    ),
    min_size=1,
    max_size=8,
)


def run(xp, program, *inputs):
    """Return the sum of the squares of the values that a program ends with."""
    values = list(inputs)
    for name, *places in program:
        chosen = [values[place % len(values)] for place in places]
        values.append((UNARY if name in UNARY else BINARY)[name](xp, *chosen))
    return xp.sum(xp.square(values[-1])) + xp.sum(values[len(values) // 2])


def outcome(name, program, primals, tangents):
    backend = pn.backends.get_backend(name)
    place = backend.parse_device("device1" if name == "array_api_strict" else None)
    x, v = ([backend.from_numpy(a, place) for a in group] for group in (primals, tangents))

    def function(*inputs):
        return run(backend.xp, program, *inputs)

    value, gradient = pn.value_and_grad(function, (0, 1))(*x)
    slope = pn.jvp(function, tuple(x), tuple(v))[1]
    return [np.asarray(backend.to_numpy(a)) for a in (value, *gradient, slope)]


@pytest.mark.skipif("numpy" not in NAMES, reason="NumPy is the reference")
@given(program=steps, x=arrays, y=arrays, v=arrays, w=arrays)
@PROFILE
def test_programs_agree_on_every_library(program, x, y, v, w):
    reference = outcome("numpy", program, (x, y), (v, w))
    gx, gy, slope = reference[1:]
    scale = max(1.0, *(float(np.max(np.abs(a))) for a in reference))
    both = float(np.sum(gx * v) + np.sum(gy * w))
    assert both == pytest.approx(float(slope), rel=1e-9, abs=1e-10 * scale)
    for name in NAMES[1:]:
        actual = outcome(name, program, (x, y), (v, w))
        for a, e in zip(actual, reference, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-9, atol=1e-11 * scale, err_msg=name)
