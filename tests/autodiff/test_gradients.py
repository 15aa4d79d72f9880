"""`grad`, `value_and_grad` and `gradient`: arguments, trees and auxiliary results."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import pytest

import portanet as pn

W = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
X = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])
B = np.asarray([0.25, -0.5])


def energy(xp, w, b, x):
    hidden = xp.tanh(x @ xp.matrix_transpose(w) + b)
    return xp.sum(hidden * hidden * xp.exp(b)) + xp.mean(xp.sin(w))


def oracle(*chosen):
    """The value of `energy` and its gradients by torch."""
    torch = pytest.importorskip("torch")
    args = [torch.tensor(a, requires_grad=i in chosen) for i, a in enumerate((W, B, X))]
    hidden = torch.tanh(args[2] @ args[0].T + args[1])
    value = (hidden**2 * torch.exp(args[1])).sum() + torch.sin(args[0]).mean()
    gradients = torch.autograd.grad(value, [args[i] for i in chosen])
    return float(value.detach()), [g.numpy() for g in gradients]


@pytest.fixture
def case(backend):
    return functools.partial(energy, backend.xp), [backend.asarray(a) for a in (W, B, X)]


def close(backend, actual, expected):
    assert pn.backends.backend_of(actual) is backend.adapter
    assert backend.adapter.device_of(actual) == backend.device
    host = backend.to_numpy(actual)
    assert (host.shape, host.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(host, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("argnum", [0, 1, 2, -1, -2, -3])
def test_one_argument(backend, case, argnum):
    function, args = case
    value, (expected,) = oracle(argnum % 3)
    found, gradient = pn.value_and_grad(function, argnum)(*args)
    assert float(backend.to_numpy(found)) == pytest.approx(value, rel=1e-14)
    close(backend, gradient, expected)
    close(backend, pn.grad(function, argnum)(*args), expected)


@pytest.mark.parametrize("argnums", [(0,), (0, 1), [1, 0], (2, 0), (-1, 0), (-2, -3, -1)])
def test_several_arguments(backend, case, argnums):
    function, args = case
    expected = oracle(*(i % 3 for i in argnums))[1]
    gradients = pn.grad(function, argnums)(*args)
    assert type(gradients) is tuple
    for actual, wanted in zip(gradients, expected, strict=True):
        close(backend, actual, wanted)


def test_gradient_is_a_tuple_one_an_argument(backend, case):
    function, args = case
    gradients = pn.gradient(function, *args)
    for actual, wanted in zip(gradients, oracle(0, 1, 2)[1], strict=True):
        close(backend, actual, wanted)
    (alone,) = pn.gradient(lambda w: function(w, *args[1:]), args[0])
    close(backend, alone, oracle(0)[1][0])


def test_keyword_arguments_are_passed_on(backend):
    x = backend.asarray(B)
    gradient = pn.grad(lambda x, *, power: backend.xp.sum(x**power))(x, power=3)
    close(backend, gradient, 3 * B**2)


def test_name_and_documentation_are_kept():
    def loss(x):
        """A loss."""
        return x

    assert (pn.grad(loss).__name__, pn.value_and_grad(loss).__doc__) == ("loss", "A loss.")


class Pair(NamedTuple):
    first: Any
    second: Any


@pn.register_tree(static=("name",))
@dataclasses.dataclass(frozen=True)
class Affine:
    weight: Any
    bias: Any
    name: str = "affine"


TREES = {
    "dict": (lambda w, b: {"w": w, "b": b}, lambda t: (t["w"], t["b"])),
    "tuple": (lambda w, b: (w, b), tuple),
    "list": (lambda w, b: [w, b], tuple),
    "nested": (lambda w, b: {"deep": [(w,), b]}, lambda t: (t["deep"][0][0], t["deep"][1])),
    "with None": (lambda w, b: [None, w, {"no": None, "b": b}], lambda t: (t[1], t[2]["b"])),
    "empty parts": (lambda w, b: ({}, w, [], b, ()), lambda t: (t[1], t[3])),
    "NamedTuple": (Pair, lambda t: (t.first, t.second)),
    "dataclass": (Affine, lambda t: (t.weight, t.bias)),
    "ComponentVector": (
        lambda w, b: pn.ComponentVector({"w": w, "b": b}),
        lambda t: (t["w"], t["b"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TREES)
def test_trees(backend, case, kind):
    make, take = TREES[kind]
    function, (w, b, x) = case
    tree = make(w, b)
    gradient = pn.grad(lambda t: function(*take(t), x))(tree)
    assert type(gradient) is type(tree)
    assert pn.trees.flatten(gradient)[1] == pn.trees.flatten(tree)[1]
    for actual, wanted in zip(take(gradient), oracle(0, 1)[1], strict=True):
        close(backend, actual, wanted)


def test_static_fields_come_back(backend):
    x = backend.asarray(B)
    gradient = pn.grad(lambda t: backend.xp.sum(t.weight * t.bias))(Affine(x, x, name="mine"))
    assert gradient.name == "mine"


def test_python_numbers():
    value, (a, b) = pn.value_and_grad(lambda t: t[0] ** 2 * t[1])((3.0, 2.0))
    assert (float(value), float(a), float(b)) == (18.0, 12.0, 9.0)


def test_the_same_array_twice(backend):
    x = backend.asarray(B)
    first, second = pn.gradient(lambda a, b: backend.xp.sum(a * a * b), x, x)
    close(backend, first, 2 * B * B)
    close(backend, second, B * B)


class TestZeros:
    """What does not reach the value has an exact zero; what does reach it never has one."""

    def test_unreached_inputs(self, backend):
        x, w = backend.asarray(B), backend.asarray(W.astype(np.float32))
        tree = {"used": x, "not used": [w, {"either": x}]}
        gradient = pn.grad(lambda t: backend.xp.sum(t["used"] ** 2))(tree)
        close(backend, gradient["used"], 2 * B)
        close(backend, gradient["not used"][0], np.zeros(W.shape, np.float32))
        close(backend, gradient["not used"][1]["either"], np.zeros(2))

    def test_a_constant_function(self, backend):
        x = backend.asarray(B)
        close(backend, pn.grad(lambda x: 3.0)(x), np.zeros(2))
        value, gradient = pn.value_and_grad(lambda x: backend.xp.sum(backend.asarray(B)))(x)
        assert float(backend.to_numpy(value)) == B.sum()
        close(backend, gradient, np.zeros(2))

    def test_only_through_a_shape_or_a_comparison(self, backend):
        xp, x = backend.xp, backend.asarray(B)
        close(backend, pn.grad(lambda x: xp.sum(xp.zeros_like(x)) + x.shape[0])(x), np.zeros(2))
        step = pn.grad(lambda x: xp.sum(xp.where(x > 0, xp.ones_like(x), 2 * xp.ones_like(x))))
        close(backend, step(x), np.zeros(2))

    def test_empty_arrays(self, backend):
        empty = backend.asarray(np.zeros((0, 3)))
        close(backend, pn.grad(lambda x: backend.xp.sum(x * x))(empty), np.zeros((0, 3)))

    def test_the_argument_itself(self, backend):
        close(backend, pn.grad(lambda x: x)(backend.asarray(np.float64(3.0))), np.asarray(1.0))


class TestAuxiliary:
    def test_any_tree_passes_through(self, backend):
        xp, x = backend.xp, backend.asarray(B)
        marker = object()

        def function(x):
            aux = {
                "traced": x * 2, "integer": xp.argmax(x), "mask": x > 0, "host": W, "none": None,
                "number": 3, "text": "text", "marker": marker, "nested": [(x, 1.5)],
            }  # fmt: skip
            return xp.sum(x**3), aux

        (value, aux), gradient = pn.value_and_grad(function, has_aux=True)(x)
        close(backend, gradient, 3 * B**2)
        assert float(backend.to_numpy(value)) == pytest.approx((B**3).sum())
        close(backend, aux["traced"], 2 * B)
        close(backend, aux["nested"][0][0], B)
        assert int(backend.to_numpy(aux["integer"])) == 0
        assert backend.to_numpy(aux["mask"]).tolist() == [True, False]
        assert aux["host"] is W
        assert (aux["none"], aux["number"], aux["text"]) == (None, 3, "text")
        assert aux["marker"] is marker
        assert aux["nested"][0][1] == 1.5

    def test_grad_returns_the_pair(self, backend):
        x = backend.asarray(B)
        gradient, aux = pn.grad(lambda x: (backend.xp.sum(x * x), "aux"), has_aux=True)(x)
        close(backend, gradient, 2 * B)
        assert aux == "aux"

    def test_aux_stays_differentiable_from_outside(self, backend):
        """A traced aux of an inner derivative belongs to the outer one."""
        xp, x = backend.xp, backend.asarray(B)

        def outer(x):
            gradient, aux = pn.grad(lambda y: (xp.sum(y**3 * x), y * x), has_aux=True)(x)
            return xp.sum(gradient) + xp.sum(aux)

        close(backend, pn.grad(outer)(x), 9 * B**2 + 2 * B)

    def test_gradient_of_the_value_ignores_aux(self, backend):
        xp, x = backend.xp, backend.asarray(B)
        gradient, _ = pn.grad(lambda x: (xp.sum(x), xp.exp(x) * 1e6), has_aux=True)(x)
        close(backend, gradient, np.ones(2))
