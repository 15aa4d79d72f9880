"""Activations against torch in float64, at the ends of each dtype, and NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from contract.activations import ELEMENTWISE

import portanet as pn
from portanet import autodiff, functional, random
from portanet.errors import DTypeError, ShapeError

NAMES = list(ELEMENTWISE)
EPSILON = {"float16": 1e-3, "float32": 1.2e-7, "float64": 2.2e-16}
# No kink of any activation is among them.
POINTS = np.concatenate([np.linspace(-9.3, 9.4, 88), [0.01, -0.01, 1e-3, -1e-3, 25.0, -25.0]])


def _dtypes(backend):
    strict = backend.name == "array_api_strict"
    return ["float32", "float64"] if strict else ["float16", "float32", "float64"]


def _put(backend, x, dtype="float64"):
    return backend.asarray(np.asarray(x, dtype=dtype))


def _oracle(name, x):
    """Value, first and second derivative by torch in float64."""
    torch = pytest.importorskip("torch")
    t = torch.tensor(np.asarray(x, dtype=np.float64), requires_grad=True)
    y = ELEMENTWISE[name].oracle(torch, t)
    (first,) = torch.autograd.grad(y.sum(), t, create_graph=True)
    second = torch.zeros_like(first)
    if first.requires_grad:
        (second,) = torch.autograd.grad(first.sum(), t, allow_unused=True, materialize_grads=True)
    return y.detach().numpy(), first.detach().numpy(), second.numpy()


def _slopes(backend, function, x):
    xp = backend.xp
    return autodiff.grad(lambda x: xp.sum(function(x)))(x)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_torch_and_the_dtype_is_kept(backend, name):
    for dtype in _dtypes(backend):
        x = POINTS.astype(dtype)
        y = getattr(functional, name)(_put(backend, x, dtype))
        assert y.dtype == backend.dtype(dtype)
        tolerance = 8 * EPSILON[dtype]
        np.testing.assert_allclose(
            backend.to_numpy(y), _oracle(name, x)[0], rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("name", NAMES)
def test_reverse_derivatives_are_those_of_torch(backend, name):
    for dtype in _dtypes(backend):
        x = POINTS.astype(dtype)
        slopes = _slopes(backend, getattr(functional, name), _put(backend, x, dtype))
        assert slopes.dtype == backend.dtype(dtype)
        tolerance = 64 * EPSILON[dtype]  # torch rounds its tanh gelu
        np.testing.assert_allclose(
            backend.to_numpy(slopes), _oracle(name, x)[1], rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("name", NAMES)
def test_forward_derivatives_are_those_of_torch(backend, name):
    x, direction = _put(backend, POINTS), _put(backend, np.cos(POINTS))
    _, tangent = autodiff.jvp(getattr(functional, name), (x,), (direction,))
    expected = _oracle(name, POINTS)[1] * np.cos(POINTS)
    np.testing.assert_allclose(backend.to_numpy(tangent), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_are_those_of_torch(backend, name):
    function = getattr(functional, name)
    second = _slopes(backend, lambda x: _slopes(backend, function, x), _put(backend, POINTS))
    # Torch's own second derivative of its tanh gelu is rounded most.
    np.testing.assert_allclose(
        backend.to_numpy(second), _oracle(name, POINTS)[2], rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows_at_the_extremes(backend, name):
    for dtype in _dtypes(backend):
        x = np.asarray([-1e4, -300.0, -40.0, 40.0, 300.0, 1e4], dtype=dtype)
        function = getattr(functional, name)
        expected, slopes, _ = _oracle(name, x)
        tolerance = 8 * EPSILON[dtype]
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            y = function(_put(backend, x, dtype))
            dy = _slopes(backend, function, _put(backend, x, dtype))
        np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=tolerance, atol=1e-6)
        np.testing.assert_allclose(backend.to_numpy(dy), slopes, rtol=tolerance, atol=1e-6)


OTHERS = (
    "softmax log_softmax logsumexp glu layer_norm rms_norm batch_norm instance_norm lgamma digamma "
    "cbrt exp2"
)
OF_FLOATS = [name for name in (*NAMES, *OTHERS.split()) if name != "identity"]


@pytest.mark.parametrize("recorded", [False, True])
def test_integers_are_refused_by_every_library(backend, recorded):
    """Some make floats of them, of a width of their own, and others do not."""
    for name in OF_FLOATS:
        function = getattr(functional, name)
        for dtype in ("int64", "uint8", "bool"):
            x = backend.asarray(np.ones((2, 4), dtype))
            with pytest.raises(DTypeError, match=f"x.dtype is floating: {dtype}"):
                (pn.jit(function) if recorded else function)(x)


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_kept(backend, name):
    y = getattr(functional, name)(_put(backend, [math.nan, 0.25]))
    np.testing.assert_array_equal(np.isnan(backend.to_numpy(y)), [True, False])


@pytest.mark.parametrize("name", NAMES)
def test_shapes_without_axes_or_entries_are_kept(backend, name):
    for shape in ((), (0, 3), (2, 1, 3)):
        assert getattr(functional, name)(_put(backend, np.full(shape, 0.5))).shape == shape


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: functional.leaky_relu(x, 0.2), [-0.4, -0.1, 0.5, 2.0]),
        (lambda x: functional.elu(x, 2.0), [2 * math.expm1(-2), 2 * math.expm1(-0.5), 0.5, 2.0]),
        (lambda x: functional.celu(x, 2.0), [2 * math.expm1(-1), 2 * math.expm1(-0.25), 0.5, 2.0]),
        (lambda x: functional.soft_shrink(x, 1.0), [-1.0, 0.0, 0.0, 1.0]),
        (lambda x: functional.threshold_relu(x, threshold=0.1), [0.0, 0.0, 0.5, 2.0]),
    ],
)
def test_options_reach_the_value_and_the_derivative(backend, function, expected):
    x = np.asarray([-2.0, -0.5, 0.5, 2.0])
    np.testing.assert_allclose(backend.to_numpy(function(_put(backend, x))), expected, rtol=1e-14)
    h = 1e-5
    above, below = function(_put(backend, x + h)), function(_put(backend, x - h))
    slopes = (backend.to_numpy(above) - backend.to_numpy(below)) / (2 * h)
    actual = _slopes(backend, function, _put(backend, x))
    np.testing.assert_allclose(backend.to_numpy(actual), slopes, rtol=1e-8, atol=1e-9)


def test_small_results_keep_their_relative_accuracy(backend):
    special = pytest.importorskip("scipy.special")
    x = np.asarray([-20.0, -8.0, -1e-3, 1e-4, 3.0])
    arrays = _put(backend, x)
    if backend.name != "torch":  # its own gelu is rounded
        y = functional.gelu_erf(arrays)
        np.testing.assert_allclose(backend.to_numpy(y), x * special.ndtr(x), rtol=5e-14)
        gate = special.expit(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
        np.testing.assert_allclose(backend.to_numpy(functional.gelu(arrays)), x * gate, rtol=1e-13)
    y = backend.to_numpy(functional.log_cosh(arrays))
    np.testing.assert_allclose(y, np.log1p(2 * np.sinh(x / 2) ** 2), rtol=1e-14)
    y = backend.to_numpy(functional.sigmoid(arrays))
    np.testing.assert_allclose(y, special.expit(x), rtol=1e-14)
    y = backend.to_numpy(functional.log_sigmoid(-arrays))
    np.testing.assert_allclose(y, special.log_expit(-x), rtol=1e-14)


def test_error_functions_match_published_numbers(backend):
    """Abramowitz and Stegun, Handbook of Mathematical Functions, tables 7.1 and 7.3."""
    y = functional.erf(_put(backend, [0.5, 1.0, 2.0, -2.0]))
    expected = [0.5204998778, 0.8427007929, 0.9953222650, -0.9953222650]
    np.testing.assert_allclose(backend.to_numpy(y), expected, atol=5e-11)
    y = functional.erfc(_put(backend, [3.0, 10.0]))
    np.testing.assert_allclose(backend.to_numpy(y), [2.209049699858544e-5, 2.088487583762545e-45])


def test_rrelu_draws_a_slope_for_each_entry(backend):
    x = _put(backend, np.concatenate([np.full(1000, -24.0), [0.5, 3.0]]))
    key = random.key(3)
    y = backend.to_numpy(functional.rrelu(x, key))
    np.testing.assert_array_equal(y[1000:], [0.5, 3.0])
    slopes = y[:1000] / -24.0
    assert slopes.min() >= 1 / 8
    assert slopes.max() <= 1 / 3
    assert len(np.unique(slopes)) > 900
    assert abs(slopes.mean() - 11 / 48) < 0.01
    np.testing.assert_array_equal(backend.to_numpy(functional.rrelu(x, key)), y)
    derivative = _slopes(backend, lambda x: functional.rrelu(x, key), x)
    np.testing.assert_allclose(backend.to_numpy(derivative)[:1000], slopes, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_glu_is_that_of_torch(backend, axis):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 6, 2))
    expected = torch.nn.functional.glu(torch.tensor(x), axis).numpy()
    y = functional.glu(_put(backend, x), axis=axis)
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-13)


def test_glu_refuses_an_odd_or_absent_axis(backend):
    x = _put(backend, np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"x\.shape\[-1\] is even: got 3: it holds values and"):
        functional.glu(x)
    with pytest.raises(ShapeError, match=r"-x\.ndim <= axis < x\.ndim: axis 2, x\.ndim 2"):
        functional.glu(x, axis=2)
