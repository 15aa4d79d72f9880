"""NumPy's own functions, ufuncs and methods on a traced NumPy array: nothing special imported."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError

A = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
V = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])

CASES = {
    # ufuncs
    "tanh": lambda x: np.tanh(x),
    "exp": lambda x: np.exp(x) + np.expm1(x),
    "log": lambda x: np.log(x * x + 0.5) + np.log1p(x * x),
    "trigonometry": lambda x: np.sin(x) * np.cos(x) + np.tan(x / 2),
    "inverse": lambda x: np.arcsin(x / 2) + np.arccos(x / 2) + np.arctan(x),
    "hyperbolic": lambda x: np.sinh(x) * np.cosh(x) + np.arcsinh(x) + np.arctanh(x / 2),
    "arccosh": lambda x: np.arccosh(x * x + 1.5),
    "arctan2": lambda x: np.arctan2(x, x * x + 1),
    "sqrt": lambda x: np.sqrt(x * x + 0.1) + np.square(x),
    "abs": lambda x: np.abs(x) + np.absolute(x) * x + np.fabs(x),
    "arithmetic": lambda x: np.add(x, 1) * np.subtract(2, x) / np.multiply(x, x),
    "divide": lambda x: np.divide(1.0, x) + np.true_divide(x, 3),
    "power": lambda x: np.power(x * x, 1.5) + np.power(x, 3),
    "maximum": lambda x: np.maximum(x, 0.35) + np.minimum(x, x * x),
    "hypot": lambda x: np.hypot(x, 1.0) + np.logaddexp(x, 0.5),
    "negative": lambda x: np.negative(x) * np.positive(x) + np.reciprocal(x),
    "steps": lambda x: np.floor(x) * x + np.sign(x) * x + np.ceil(x) + np.rint(x) + np.trunc(x),
    "remainder": lambda x: np.remainder(x, 0.43) * x,
    "matmul": lambda x: np.matmul(x, x.T),
    # array on the left, number on the left, operators
    "plain array first": lambda x: V * x + V @ x.T @ V + V**2 / x - x,
    "scalar first": lambda x: np.float64(2.0) * x + np.float64(1.0) / x,
    "comparison": lambda x: np.where(V >= x, x * x, x),  # noqa: SIM300
    # reductions
    "sum": lambda x: np.sum(x * x, axis=0) * np.sum(x),
    "mean": lambda x: np.mean(x * x, axis=1, keepdims=True) * x,
    "var and std": lambda x: np.var(x) + np.std(x, axis=0) + np.var(x, axis=0, ddof=1),
    "prod": lambda x: np.prod(x, axis=1) + np.prod(x),
    "max and min": lambda x: np.max(x, axis=0) * np.min(x) + np.amax(x) + np.amin(x, axis=1)[0],
    "cumulative": lambda x: np.cumsum(x, axis=1) * np.cumprod(x, axis=0),
    "cumulative flat": lambda x: np.cumsum(x) * 2,
    "argmax": lambda x: x[:, np.argmax(x[0, :])] * np.argmin(x),
    # shapes
    "reshape": lambda x: np.reshape(x * x, (3, 2)) @ np.ravel(x)[:2],
    "transpose": lambda x: np.transpose(x) @ x,
    "expand and squeeze": lambda x: np.squeeze(np.expand_dims(x * x, 0)),
    "moveaxis": lambda x: np.moveaxis(x * x, 0, 1),
    "broadcast_to": lambda x: np.broadcast_to(x * x, (2, 2, 3)),
    "flip and roll": lambda x: np.flip(x, axis=1) * np.roll(x, 1, axis=0),
    "repeat and tile": lambda x: np.repeat(x, 2, axis=0) * np.tile(x, (2, 1)),
    "triangles": lambda x: np.tril(x) * np.triu(x) + np.tril(x, k=-1),
    # several arrays
    "concatenate": lambda x: np.concatenate([x * x, x, V], axis=0),
    "concatenate fast": lambda x: np.concatenate((x[0, :], V[1, :] * x[1, :])),
    "stack": lambda x: np.stack([x[0, 0], x[1, 1] * x[0, 2], x[1, 0]]),
    "where": lambda x: np.where(x > 0, x * x, np.exp(x)),
    "clip": lambda x: np.clip(x, -0.5, 0.95) * x,
    "dot": lambda x: np.dot(x, x.T) + np.dot(x[0, :], x[1, :]),
    "outer": lambda x: np.outer(x[0, :], x[1, :]),
    "tensordot": lambda x: np.tensordot(x, x, axes=((0,), (0,))),
    "take": lambda x: np.take(x, np.asarray([1, 1, 0]), axis=0) * 2,
    "take flat": lambda x: np.take(x * x, np.asarray([5, 0])),
    "sort": lambda x: np.sort(x, axis=1) * x,
    "diff": lambda x: np.diff(x * x, axis=1),
    # methods
    "x.mean": lambda x: x.mean(axis=0) * x.mean() * x.sum(axis=1).sum(),
    "x.std": lambda x: x.std(axis=1) + x.var(ddof=1),
    "x.max": lambda x: x.max(axis=1) * x.min(),
    "x.reshape": lambda x: x.reshape(3, 2) @ x.reshape((2, 3)) + x.reshape(-1)[0],
    "x.ravel": lambda x: x.ravel() * x.flatten(),
    "x.T": lambda x: x.T @ x.dot(x.transpose()),
    "x.transpose": lambda x: x.transpose(1, 0) + x.transpose((1, 0)) * 2,
    "x.clip": lambda x: x.clip(-0.5, 0.95) * x,
    "x.cumsum": lambda x: x.cumsum(axis=0) * x.prod(),
    "x.repeat": lambda x: x.repeat(2, axis=1),
    "x.take": lambda x: x.take(np.asarray([0, 2, 2]), axis=1),
    "x.squeeze": lambda x: x[None, :, :].squeeze() ** 2,
    "x.copy": lambda x: x.copy() * x.astype(np.float64),
    "iteration": lambda x: np.stack([row * row for row in x]),
    "unpacking": lambda x: (lambda a, b: a * b)(*x),
    "x[...] forms": lambda x: x[0] * x[1, ::-1] + x[..., 0].sum() + x[-1][None, 2],
    "fancy": lambda x: x[[0, 1, 1], [2, 0, 0]] * x[x > 0.35],
}


@pytest.fixture(params=CASES)
def function(request):
    case = CASES[request.param]

    def scalar(x):
        y = case(x)
        return np.sum(y * np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape))

    return scalar


def test_against_differences(function):
    step = 1e-6
    expected = (function(A + step * V) - function(A - step * V)) / (2 * step)
    value, gradient = pn.value_and_grad(function)(A)
    assert value == pytest.approx(function(A), rel=1e-14)
    assert type(gradient) is np.ndarray
    assert gradient.shape == A.shape
    assert np.sum(gradient * V) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    _, tangent = pn.jvp(function, (A,), (V,))
    assert float(tangent) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    slope = (pn.grad(function)(A + step * V) - pn.grad(function)(A - step * V)) / (2 * step)
    np.testing.assert_allclose(pn.hvp(function, A, V), slope, rtol=1e-5, atol=1e-6)


def test_float32_is_kept(function):
    x = A.astype(np.float32)

    def single(x):
        return function(x).astype(np.float32)

    assert pn.grad(single)(x).dtype == np.float32


class TestRefusals:
    """By name, and with what to write instead."""

    @pytest.mark.parametrize(
        ("call", "name"),
        [
            (lambda x: np.spacing(x), "spacing"),
            (lambda x: np.histogram(x), "histogram"),
            (lambda x: np.unique(x), "unique"),
            (lambda x: np.percentile(x, 5, method="inverted_cdf"), "percentile with"),
            (lambda x: np.add.reduceat(x, [0]), "add.reduceat"),
            (lambda x: np.exp(x, where=A > 0), "exp with"),
        ],
    )
    def test_no_rule(self, call, name):
        for verb in (pn.grad, pn.jacobian):
            with pytest.raises(NoDerivativeError, match=f"{name}.* has no derivative rule"):
                verb(lambda x: call(x))(A)

    def test_no_rule_in_the_namespace(self):
        xp = pn.array_namespace(A)
        with pytest.raises(NoDerivativeError, match="unique_values has no derivative rule"):
            pn.grad(lambda x: xp.sum(xp.unique_values(x)))(A)

    def test_out(self):
        fresh = np.empty_like(A)
        for call in (
            lambda x: np.exp(x, out=fresh),
            lambda x: np.add(x, x, out=fresh),
            lambda x: np.multiply(V, x, out=fresh),
        ):
            with pytest.raises(TracedValueError, match="use what it returns"):
                pn.grad(lambda x, call=call: np.sum(call(x)))(A)

    def test_in_place_operators_on_a_plain_array(self):
        def function(x):
            total = np.zeros_like(V)
            total += x
            return np.sum(total)

        with pytest.raises(TracedValueError, match="use what it returns"):
            pn.grad(function)(A)

    def test_in_place_operators_reach_every_name_but_not_the_caller(self):
        def function(x):
            y = x
            y += 1.0
            y *= x
            return np.sum(x)

        x = A.copy()
        np.testing.assert_allclose(pn.grad(function)(x), 2 * (A + 1))
        assert np.array_equal(x, A)

    @pytest.mark.parametrize(
        "write",
        [
            lambda x: x.__setitem__(0, 1.0),
            lambda x: x.__setitem__((0, 1), x[0, 0]),
            lambda x: x.__delitem__(0),
        ],
    )
    def test_writing_into_a_traced_array(self, write):
        with pytest.raises(TracedValueError, match=r"build the new array with xp\.where"):
            pn.grad(lambda x: write(x))(A)

    def test_writing_a_traced_array_into_a_plain_one(self):
        def function(x):
            fresh = np.zeros(3)
            fresh[:] = x[0, :]
            return np.sum(fresh)

        def element(x):
            fresh = np.zeros(3)
            fresh[0] = x[0, 0]
            return np.sum(fresh)

        for write in (function, element):  # NumPy hides the second behind an error of its own
            with pytest.raises(TracedValueError, match="would lose its derivative"):
                pn.grad(write)(A)


@pytest.mark.parametrize(
    "convert",
    [float, int, complex, lambda x: x.item(), lambda x: x.tolist(), np.asarray, range],
)
def test_conversions_of_a_traced_scalar(backend, convert):
    """A concrete value would lose the derivative: an error that says what to write instead."""
    if backend.name in ("torch", "jax"):
        pytest.skip("the library's own arrays, with its own errors")

    with pytest.raises(TracedValueError, match=r"Keep it an array, build arrays of it with xp"):
        pn.grad(lambda x: convert(x[0, 0]))(backend.asarray(A))


def test_assignment_on_every_tape_backend(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("the library's own arrays, with its own errors")

    def function(x):
        x[0, 0] = 1.0
        return backend.xp.sum(x)

    x = backend.asarray(A)
    with pytest.raises(TracedValueError, match="cannot be written in place: build the new array"):
        pn.grad(function)(x)
    assert np.array_equal(backend.to_numpy(x), A)
