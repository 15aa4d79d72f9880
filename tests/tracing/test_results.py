"""Jitted functions return what the functions return: values, dtypes, types and structures."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet import trees

X = np.linspace(-1.0, 1.2, 6).reshape(2, 3)

FUNCTIONS = {
    "arithmetic": lambda xp, x: (x * 2.0 + 1.0 - x / 3.0) ** 2,
    "the same twice": lambda xp, x: (xp.sin(x), xp.sin(x)),
    "reductions": lambda xp, x: [
        xp.sum(x), xp.mean(x, axis=0), xp.max(x, axis=1), xp.min(x), xp.prod(x, axis=-1),
        xp.sum(x, axis=0, keepdims=True), xp.var(x), xp.std(x, axis=0, correction=1),
    ],
    "views": lambda xp, x: [
        x[0, :], x[:, 1:], xp.reshape(x, (-1,)), x.T, xp.expand_dims(x, axis=0),
        xp.broadcast_to(x, (2, 2, 3)), xp.flip(x, axis=0), xp.permute_dims(x, (1, 0)),
    ],
    "views of results": lambda xp, x: [
        xp.flip(x + 1.0, axis=0), xp.reshape(x * 3.0, (3, 2)), (x - 1.0).T, xp.sin(x)[1:, :],
        *xp.unstack(xp.cos(x)), xp.squeeze(x[:1, :] * 2.0, axis=0), xp.roll(x + 2.0, 1, axis=1),
    ],
    "neutral": lambda xp, x: [x * 1.0, x / 1.0, +x, xp.reshape(x, x.shape), xp.astype(x, x.dtype)],
    "comparisons": lambda xp, x: [x > 0.0, x == x, xp.isfinite(x), xp.sign(x), ~(x > 0.5)],
    "choices": lambda xp, x: [
        xp.where(x > 0.0, x, -x), xp.maximum(x, 0.1 * x), xp.clip(x, -0.5, 0.5), xp.clip(x, 0.0),
    ],
    "indices": lambda xp, x: [
        xp.take(x, xp.argmax(x, axis=1), axis=1), xp.argsort(x, axis=1), x[1, 2],
        xp.sort(x, axis=0), xp.cumulative_sum(x, axis=1),
    ],
    "joins": lambda xp, x: [xp.concat([x, x + 1.0]), xp.stack([x, x]), xp.tile(x, (1, 2))],
    "products": lambda xp, x: [x @ x.T, xp.matmul(x.T, x), xp.tensordot(x, x, axes=2)],
    "sums of rows": lambda xp, x: xp.sum(x @ x.T, axis=0) + xp.sum(x, axis=1),
    "constants": lambda xp, x: [xp.zeros_like(x), xp.ones_like(x) + 1.0, 3, "text", 2.5],
    "nothing": lambda xp, x: None,
    "empty": lambda xp, x: {"a": (), "b": [], "c": None, "d": {}},
    "itself": lambda xp, x: (x, x),
    "nested": lambda xp, x: {"b": (x + 1.0, [x]), "a": {"z": x.shape, "y": None}},
    "long": lambda xp, x: sum((xp.sin(x * float(i)) for i in range(30)), xp.zeros_like(x)),
    "linear algebra": lambda xp, x: [
        *xp.linalg.eigh(x @ x.T), *xp.linalg.qr(x), xp.linalg.svd(x, full_matrices=False).S,
        xp.linalg.solve(x @ x.T + 0.5, x),
    ],
    "functional": lambda xp, x: [
        pn.gelu(x), pn.softmax(x), pn.sigmoid(x), pn.relu(x), pn.logsumexp(x, axis=1),
    ],
}  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(recorder, function):
    check_jitted(lambda x: function(recorder.xp, x), recorder.asarray(X))


def _objective(xp, x):
    return xp.sum(xp.tanh(x @ x.T) ** 2)


def _outputs(xp, x):
    return xp.sin(x) * xp.sum(x)


VERBS = {
    "grad": lambda xp, x: pn.grad(lambda x: _objective(xp, x))(x),
    "value_and_grad": lambda xp, x: pn.value_and_grad(lambda x: _objective(xp, x))(x),
    "vjp": lambda xp, x: pn.vjp(lambda x: _outputs(xp, x), x)[1](x),
    "jvp": lambda xp, x: pn.jvp(lambda x: _outputs(xp, x), (x,), (x,)),
    "hvp": lambda xp, x: pn.hvp(lambda x: _objective(xp, x), x, x),
    "jacobian": lambda xp, x: pn.jacobian(lambda x: _outputs(xp, x))(x),
    "hessian": lambda xp, x: pn.hessian(lambda x: _objective(xp, x))(x),
    "vmap": lambda xp, x: pn.vmap(lambda row: xp.sum(row * row) * row)(x),
    "vmap of grad": lambda xp, x: pn.vmap(pn.grad(lambda row: xp.sum(xp.sin(row) ** 2)))(x),
    "grad of grad": lambda xp, x: pn.grad(
        lambda x: xp.sum(pn.grad(lambda x: _objective(xp, x))(x) ** 2)
    )(x),
    "grad of eigh": lambda xp, x: pn.grad(
        lambda x: xp.sum(xp.linalg.eigh(x @ x.T).eigenvalues ** 2)
    )(x),
    "linearize": lambda xp, x: pn.linearize(lambda x: _outputs(xp, x), x)[1](x),
    "checkpoint": lambda xp, x: pn.grad(
        lambda x: _objective(xp, pn.checkpoint(lambda y: xp.sin(y) * x)(x))
    )(x),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_verbs_inside(recorder, verb):
    check_jitted(lambda x: verb(recorder.xp, x), recorder.asarray(X))


def test_custom_derivatives_inside(recorder):
    xp = recorder.xp

    @pn.custom_vjp
    def clipped(x):
        return xp.exp(x)

    clipped.defvjp(lambda x: (xp.exp(x), x), lambda x, g: (g * 3.0 * x,))
    x = recorder.asarray(X)
    gradient = check_jitted(pn.grad(lambda x: xp.sum(clipped(x) * x)), x)(x)
    wanted = np.exp(X) + 3.0 * X * X
    np.testing.assert_allclose(recorder.to_numpy(gradient), wanted, rtol=1e-12)
    check_jitted(clipped, x)


VERBS_OUTSIDE = {
    "grad": lambda f, x: pn.grad(lambda x: _total(f(x)))(x),
    "grad of grad": lambda f, x: pn.grad(lambda x: _total(pn.grad(lambda x: _total(f(x)))(x)))(x),
    "jvp": lambda f, x: pn.jvp(f, (x,), (x,)),
    "vmap": lambda f, x: pn.vmap(f)(x),
    "jit": lambda f, x: pn.jit(lambda x: f(x) + f(x))(x),
    "grad of a closure": lambda f, x: pn.grad(
        lambda y: _total(pn.jit(lambda x: f(x) * y)(x))
    )(x),
}  # fmt: skip


def _total(x):
    xp = pn.array_namespace(x)
    return xp.sum(x * x)


@pytest.mark.parametrize("verb", VERBS_OUTSIDE.values(), ids=VERBS_OUTSIDE)
def test_verbs_of_jitted_functions(recorder, verb):
    def function(x):
        return recorder.xp.sin(x) * 2.0

    x = recorder.asarray(X)
    jitted = pn.jit(function)
    jitted(x)
    check_same(verb(jitted, x), verb(function, x))
    check_same(jitted(x), function(x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "complex128"])
def test_dtypes_are_kept(dtype):
    x = X.astype(dtype)
    rtol = 1e-3 if dtype == "float16" else 1e-6 if dtype == "float32" else 1e-12

    def function(x):
        y = np.tanh(x) * 2.0 + x**2 - 0.1
        return y, np.sum(y, axis=0), np.mean(y), np.abs(y), y @ y.T, pn.grad(_real)(x)

    def _real(x):
        return np.sum(np.abs(np.sin(x)) ** 2)

    check_jitted(function, x, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool"])
def test_integers_and_booleans(dtype):
    x = np.asarray([[0, 1, 1], [1, 0, 1]], dtype)

    def function(x):
        xp = pn.array_namespace(x)
        counted = xp.astype(x, xp.float32) * 0.5
        return x, ~x, x == x, xp.sum(counted, axis=0), xp.any(x), xp.concat([x, x]), x[0], x & x

    check_jitted(function, x)


def test_integer_arithmetic():
    x = np.arange(6).reshape(2, 3)
    check_jitted(lambda x: (x + 1, x * x, x // 2, x % 2, x / 2, x**2, np.sum(x), x @ x.T), x)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
def test_small_shapes(recorder, shape):
    xp, x = recorder.xp, recorder.asarray(np.ones(shape))
    check_jitted(
        lambda x: (x + 1.0, xp.sum(x), xp.reshape(x * 2.0, (-1,)), xp.concat([xp.stack([x, x])])), x
    )


@pytest.mark.parametrize("x", [np.float32(2.0), np.float64(2.0), np.asarray(2.0), np.int64(3)])
def test_scalars_and_arrays_without_axes(x):
    check_jitted(lambda x: (x, x + 1, np.sin(x), np.sum(x), np.reshape(x, (1,)), x * 1.0, -x), x)


@pytest.mark.parametrize(
    "x",
    [np.asfortranarray(X), X.T, X[:, ::2], X[::-1], np.broadcast_to(X[0], (4, 3)), X[:, 1:]],
    ids=["Fortran", "transposed", "strided", "reversed", "broadcast", "sliced"],
)
def test_memory_layouts(x):
    check_jitted(
        lambda x: (x + 1, x.T, np.reshape(x, (-1,)), x @ x.T, np.flip(np.cos(x)), x.T * 2.0), x
    )


def test_other_trees(recorder):
    class Pair(NamedTuple):
        left: object
        right: object

    x = recorder.asarray(X)
    arguments = Pair(x, OrderedDict(b=x, a=x))

    def function(pair, *, more):
        return Pair(pair.left + 1.0, OrderedDict(b=pair.right["a"] * more["x"])), None

    check_jitted(function, arguments, more={"x": x})


@pn.register_tree
@dataclasses.dataclass(frozen=True)
class Affine:
    weight: object
    name: str


def test_registered_trees(recorder):
    x = recorder.asarray(X)
    check_jitted(lambda affine: Affine(affine.weight * 2.0, "new"), Affine(x, "old"))


def test_component_vectors(recorder):
    x = recorder.asarray(X)
    vector = pn.ComponentVector({"a": x, "b": x})
    check_jitted(lambda v: v, vector)
    check_jitted(lambda v: trees.map_leaves(lambda x: x * 2.0, v), vector)
    check_jitted(pn.grad(lambda v: recorder.xp.sum(v["a"] * v["b"])), vector)


def test_keyword_arguments(recorder):
    x = recorder.asarray(X)
    jitted = check_jitted(lambda x, *, scale, y=None: x * scale, x, scale=2.0)
    check_same(jitted(x=x, scale=3.0), x * 3.0)
    check_same(jitted(x, y=x, scale=3.0), x * 3.0)


def test_one_array_in_two_places(recorder):
    x = recorder.asarray(X)
    jitted = check_jitted(lambda x, y: (x + y, x, y, x * y), x, x)
    check_same(jitted(x, 2.0 * x), (3.0 * x, x, 2.0 * x, 2.0 * x * x))


def test_integers_too_long_to_write(recorder):
    x, n = recorder.asarray(X), 10**5000
    check_jitted(lambda x: (x * 2.0, n, -n, (n, 1)), x)
    check_jitted(lambda x, n: (x, n), x, n)
    ts = pn.training.TrainState(pn.NoOp(), {"w": x[0, :]}, {"n": n}, pn.optimizers.SGD(0.1))

    def loss(model, ps, st, data):
        return pn.array_namespace(data).sum(ps["w"] * data), st, {"n": n}

    for jit in (False, None):
        _, stats, new = pn.training.train_step(loss, x, ts, jit=jit)
        assert stats["n"] == new.states["n"] == n
