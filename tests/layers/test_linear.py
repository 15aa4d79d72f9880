"""Dense, Scale and Bilinear."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import (
    BackendMismatchError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    ShapeError,
)


def draw(*shape, dtype="float64"):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4)])
def test_dense_is_torchs_linear(backend, place, shape):
    torch = pytest.importorskip("torch")
    model = pn.Dense(4, 5)
    ps, st = pn.setup(0, model, dtype="float64")
    x = draw(*shape)
    y, _ = model(backend.asarray(x), place(ps), st)
    expected = torch.nn.functional.linear(*map(torch.asarray, (x, ps["weight"], ps["bias"])))
    assert backend.to_numpy(y).dtype == np.float64
    np.testing.assert_allclose(backend.to_numpy(y), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_dense_keeps_the_dtype(dtype):
    model = pn.Dense(4, 5, pn.relu)
    ps = {"weight": np.ones((5, 4), dtype), "bias": np.full(5, -2, dtype)}
    y, _ = model(np.ones((3, 4), dtype), ps, {})
    assert y.dtype == dtype
    assert np.all(y == 2)


@pytest.mark.parametrize(
    ("activation", "gain"),
    [(pn.identity, 1), (pn.relu, math.sqrt(2)), (pn.tanh, 5 / 3), (pn.selu, 3 / 4),
     (pn.sigmoid, 1), (pn.leaky_relu, math.sqrt(2 / (1 + 0.01**2)))],
)  # fmt: skip
def test_dense_default_bounds(activation, gain):
    ps, _ = pn.setup(0, pn.Dense(100, 500, activation))
    bound = gain * math.sqrt(3 / 100)
    assert 0.99 * bound < np.max(np.abs(ps["weight"])) <= bound * (1 + 1e-6)
    assert np.std(ps["weight"]) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert 0.95 / 10 < np.max(np.abs(ps["bias"])) <= 1 / 10 + 1e-8
    assert ps["weight"].dtype == ps["bias"].dtype == np.float32


def test_dense_without_a_bias_and_with_own_initializers():
    model = pn.Dense(2, 3, use_bias=False, init_weight=pn.initializers.ones())
    ps, st = pn.setup(0, model)
    assert list(ps) == ["weight"]
    assert np.all(model(np.ones((1, 2), np.float32), ps, st)[0] == 2)
    assert eval(repr(model), {**vars(pn), **vars(pn.initializers)}) == model


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_the_gradients_of_linear_are_torchs(shape):
    torch = pytest.importorskip("torch")
    arrays = draw(*shape), draw(5, 4), draw(5)
    u = draw(*shape[:-1], 5)
    _, pullback = pn.vjp(functional.linear, *arrays)
    _, expected = torch.func.vjp(torch.nn.functional.linear, *map(torch.asarray, arrays))
    for actual, wanted in zip(pullback(u), expected(torch.asarray(u)), strict=True):
        np.testing.assert_allclose(actual, wanted.numpy(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_linear_in_forward_mode_and_second_order(backend, shape):
    x, weight, bias = (backend.asarray(a) for a in (draw(*shape), draw(5, 4), draw(5)))
    tangents = tuple(backend.asarray(draw(*a.shape) + 1) for a in (x, weight, bias))
    _, tangent = pn.jvp(functional.linear, (x, weight, bias), tangents)
    expected = tangents[0] @ weight.mT + x @ tangents[1].mT + tangents[2]
    np.testing.assert_allclose(backend.to_numpy(tangent), backend.to_numpy(expected), rtol=1e-12)

    def loss(weight):
        return backend.xp.sum(backend.xp.square(functional.linear(x, weight, bias)))

    def slope(weight):
        return backend.xp.sum(pn.grad(loss)(weight) * tangents[1])

    second = 2 * (tangents[1] @ flat(backend, x).mT @ flat(backend, x))
    np.testing.assert_allclose(
        backend.to_numpy(pn.grad(slope)(weight)), backend.to_numpy(second), rtol=1e-12
    )


def flat(backend, x):
    return backend.xp.reshape(x, (-1, x.shape[-1]))


def test_linear_has_complex_gradients_that_descend():
    x, weight = draw(3, 4) + 1j * draw(4, 3).T, draw(5, 4) + 1j * draw(4, 5).T

    def loss(weight):
        y = functional.linear(x, weight)
        xp = pn.array_namespace(y)
        return xp.sum(xp.square(xp.abs(y)))

    gradient = pn.grad(loss)(weight)
    np.testing.assert_allclose(gradient, 2 * (x @ weight.T).T @ np.conj(x), rtol=1e-12)


def test_dense_refuses_by_name_and_path(backend, place):
    model = pn.Chain(pn.Dense(10, 4), pn.Dense(4, 2))
    ps, st = pn.setup(0, model)
    ps = place(ps)

    def message(error, x, ps=ps):
        with pytest.raises(error) as caught:
            model(x, ps, st)
        return str(caught.value)

    x = np.zeros((3, 10), np.float32)
    assert message(ShapeError, backend.asarray(x[:, :7])) == (
        "model.layer_1: x.shape[-1] == in_features: 7 != 10"
    )
    assert message(ShapeError, backend.asarray(x[0, 0])) == (
        "model.layer_1: x.ndim >= 1: 0 < 1: the features are the last axis of x"
    )
    assert message(DTypeError, backend.asarray(x.astype(np.float64))) == (
        "model.layer_1: x.dtype == weight.dtype: float64 != float32: convert the input with "
        'pn.astype(x, "float32") or build the parameters with '
        'pn.setup(rng, model, dtype="float64")'
    )
    assert message(DTypeError, backend.asarray(x.astype(np.int64))) == (
        'model.layer_1: x.dtype is floating: int64: convert it with pn.astype(x, "float32")'
    )
    assert message(BackendMismatchError, x.tolist()).startswith("model.layer_1: x is an array: ")
    if backend.name != "numpy":
        assert message(BackendMismatchError, x).startswith(
            "model.layer_1: arrays of two libraries in one operation: "
        )
    swapped = {"layer_1": ps["layer_2"], "layer_2": ps["layer_1"]}
    assert message(ShapeError, backend.asarray(x), swapped) == (
        'model.layer_1: ps["weight"].shape == (out_features, in_features): (2, 4) != (4, 10)'
    )
    lacking = {**ps, "layer_2": {"bias": ps["layer_2"]["bias"]}}
    assert message(ParameterTreeError, backend.asarray(x), lacking) == (
        "model.layer_2: 'weight' in ps: found 'bias': pass the tree that pn.setup(rng, model) "
        "made for this model"
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Dense(-3, 4), "Dense: in_features >= 1: got -3"),
        (lambda: pn.Dense(3, 4.5), "Dense: out_features is an integer: got 4.5"),
        (lambda: pn.Dense(3, 4, "relu"), "Dense: activation is a function: got 'relu'"),
        (lambda: pn.Dense(3, 4, use_bias=1), "Dense: use_bias is True or False: got 1"),
        (lambda: pn.Scale(()), "Scale: shape has at least one size: got ()"),
        (lambda: pn.Scale((3, 0)), "Scale: shape[1] >= 1: got 0"),
        (
            lambda: pn.Bilinear((1, 2, 3), 4),
            "Bilinear: in_features has one or two sizes: got (1, 2, 3)",
        ),
    ],
)
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


def test_the_gradients_of_scale(backend, place):
    model = pn.Scale(3)
    ps, st = map(place, pn.setup(0, model, dtype="float64"))
    x = draw(4, 3)
    gradient = pn.grad(lambda ps: backend.xp.sum(model(backend.asarray(x), ps, st)[0]))(ps)
    np.testing.assert_allclose(backend.to_numpy(gradient["weight"]), x.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(backend.to_numpy(gradient["bias"]), np.full(3, 4.0))


def test_scale(backend, place):
    model = pn.Scale((2, 3), pn.relu)
    ps, st = pn.setup(0, model)
    x = draw(4, 2, 3, dtype="float32")
    np.testing.assert_array_equal(
        backend.to_numpy(model(backend.asarray(x), place(ps), st)[0]), np.maximum(x, 0)
    )
    ps = {"weight": draw(2, 3, dtype="float32"), "bias": draw(3, 2, dtype="float32").T}
    y, _ = model(backend.asarray(x), place(ps), st)
    np.testing.assert_allclose(
        backend.to_numpy(y), np.maximum(x * ps["weight"] + ps["bias"], 0), rtol=1e-6, atol=1e-7
    )
    with pytest.raises(ShapeError, match=r"^x.shape\[-2:\] == shape: \(4, 3, 2\) does not end"):
        model(backend.asarray(x.reshape(4, 3, 2)), place(ps), st)


@pytest.mark.parametrize("leading", [(), (5,), (2, 5), (0,)])
def test_bilinear_is_torchs(backend, place, leading):
    torch = pytest.importorskip("torch")
    model = pn.Bilinear((3, 4), 6)
    ps, st = pn.setup(0, model, dtype="float64")
    assert np.max(np.abs(ps["weight"])) <= 1 / math.sqrt(3)
    assert np.mean(ps["weight"]) == pytest.approx(0, abs=0.15)
    x1, x2 = draw(*leading, 3), draw(*leading, 4)
    y, _ = model((backend.asarray(x1), backend.asarray(x2)), place(ps), st)
    expected = np.einsum("...i,kij,...j->...k", x1, ps["weight"], x2) + ps["bias"]
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-12, atol=1e-14)
    oracle = torch.nn.functional.bilinear(*map(torch.asarray, (x1, x2, ps["weight"], ps["bias"])))
    np.testing.assert_allclose(expected, oracle.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("argnums", [0, 1, 2, 3])
def test_the_gradients_of_bilinear_are_torchs(backend, argnums):
    torch = pytest.importorskip("torch")
    arrays = draw(5, 3), draw(5, 4), draw(6, 3, 4), draw(6)

    def total(*arrays):
        return backend.xp.sum(backend.xp.tanh(functional.bilinear(*arrays)))

    def oracle(*arrays):
        return torch.sum(torch.tanh(torch.nn.functional.bilinear(*arrays)))

    actual = pn.grad(total, argnums)(*map(backend.asarray, arrays))
    expected = torch.func.grad(oracle, argnums)(*map(torch.asarray, arrays))
    np.testing.assert_allclose(backend.to_numpy(actual), expected.numpy(), rtol=1e-9, atol=1e-12)


def test_bilinear_uses_a_single_input_twice():
    model = pn.Bilinear(3, 2)
    ps, st = pn.setup(0, model)
    x = draw(5, 3, dtype="float32")
    np.testing.assert_array_equal(model(x, ps, st)[0], model((x, x), ps, st)[0])


def test_bilinear_refuses_inputs_that_do_not_fit():
    model = pn.Bilinear((3, 4), 2)
    ps, st = pn.setup(0, model)
    x1, x2 = np.zeros((5, 3), np.float32), np.zeros((6, 4), np.float32)
    with pytest.raises(ShapeError) as caught:
        model((x1, x2), ps, st)
    assert str(caught.value) == "x1.shape[:-1] == x2.shape[:-1]: (5,) != (6,)"
    with pytest.raises(ShapeError) as caught:
        model(x1, ps, st)
    assert str(caught.value) == "x2.shape[-1] == in2: 3 != 4"
    with pytest.raises(ShapeError) as caught:
        model((x1, x2, x2), ps, st)
    assert str(caught.value) == "len(x) == 2: 3 != 2: a tuple (x1, x2), or one array for both"
