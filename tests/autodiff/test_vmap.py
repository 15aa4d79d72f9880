"""`vmap` against a loop: functions of the package, axes, trees, nesting, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import ArgumentError, ShapeError, TracedValueError

RNG = np.random.default_rng(3)
BATCH = RNG.normal(size=(4, 3, 5)).astype(np.float32)
MATRIX = RNG.normal(size=(2, 5)).astype(np.float32)

_ONE = (
    "celu", "elu", "erf", "erfc", "gelu", "gelu_erf", "hard_sigmoid", "hard_swish", "hard_tanh",
    "leaky_relu", "lisht", "log_cosh", "log_sigmoid", "log_softmax", "logsumexp", "mish", "relu",
    "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "tanh_shrink", "threshold_relu",
)  # fmt: skip
FUNCTIONS = {
    **{name: lambda xp, x, w, name=name: getattr(functional, name)(x) for name in _ONE},
    "softmax by axis": lambda xp, x, w: functional.softmax(x, axis=0),
    "logsumexp by axis": lambda xp, x, w: functional.logsumexp(x, axis=0, keepdims=True),
    "linear": lambda xp, x, w: functional.linear(x, w),
    "loss": lambda xp, x, w: pn.MSELoss()(x @ w.T, xp.zeros_like(x @ w.T)),
    "read": lambda xp, x, w: x[1, ...] + x[..., 2:3][0, :] * x[:, 1][-1],
    "index": lambda xp, x, w: xp.take(w, xp.argmax(x, axis=1), axis=1),
    "sort": lambda xp, x, w: xp.sort(x, axis=0) + xp.sort(x, axis=1, descending=True),
    "branch": lambda xp, x, w: xp.where((x > 0) & ~(x > 1), x * x, xp.abs(x)),
    "norms": lambda xp, x, w: xp.linalg.vector_norm(x, axis=1) * xp.linalg.matrix_norm(w),
    "scalar": lambda xp, x, w: xp.sum(x) * xp.max(w),
}


def _stack(backend, rows):
    return np.stack([backend.to_numpy(row) for row in rows])


def _close(backend, actual, expected, rtol=2e-5):
    actual = backend.to_numpy(actual)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=2e-5)


@pytest.fixture
def x(backend):
    return backend.asarray(BATCH)


@pytest.fixture
def w(backend):
    return backend.asarray(MATRIX)


@pytest.mark.parametrize("name", FUNCTIONS)
class TestFunctions:
    def test_values(self, backend, x, w, name):
        def f(x, w):
            return FUNCTIONS[name](backend.xp, x, w)

        entries = [x[i, ...] for i in range(4)]
        _close(backend, pn.vmap(f, (0, None))(x, w), _stack(backend, [f(e, w) for e in entries]))
        ws = backend.xp.stack([w, w * 2.0, w - 1.0, w * w])
        expected = _stack(backend, [f(e, ws[i, ...]) for i, e in enumerate(entries)])
        _close(backend, pn.vmap(f)(x, ws), expected)

    def test_gradients(self, backend, x, w, name):
        if name == "index":
            pytest.skip("its input is a constant")

        def loss(w, x):
            y = FUNCTIONS[name](backend.xp, x, w)
            return backend.xp.sum(y * y)

        xp, entries = backend.xp, [x[i, ...] for i in range(4)]
        for argnum in (0, 1):
            gradient = pn.grad(loss, argnum)
            expected = _stack(backend, [gradient(w, e) for e in entries])
            _close(backend, pn.vmap(gradient, (None, 0))(w, x), expected, rtol=1e-3)
        outer = pn.grad(lambda w: xp.sum(pn.vmap(loss, (None, 0))(w, x)))(w)
        expected = _stack(backend, [pn.grad(loss)(w, e) for e in entries]).sum(0)
        np.testing.assert_allclose(backend.to_numpy(outer), expected, rtol=1e-3, atol=1e-4)
        assert outer.dtype == w.dtype


class TestAxes:
    def test_in_and_out(self, backend, x, w):
        xp = backend.xp
        moved = pn.vmap(lambda a, b: (a @ b.T, xp.sum(a)), (1, None), (-1, 0))(x, w)
        expected = BATCH @ MATRIX.T
        _close(backend, moved[0], np.moveaxis(expected, 1, -1))
        _close(backend, moved[1], BATCH.sum((0, 2)))

    def test_trees(self, backend, x, w):
        layer = {"weight": w, "deep": [x, None]}
        axes = ({"weight": None, "deep": [2, None]}, None)
        f = pn.vmap(lambda p, k: {"y": p["deep"][0] * k, "n": k}, axes, {"y": 1, "n": 0})
        result = f(layer, 3)
        assert result["n"] == 3
        _close(backend, result["y"], 3 * np.moveaxis(BATCH, 2, 1))

    def test_a_result_without_the_batch_is_repeated(self, backend, x, w):
        result = pn.vmap(lambda _: w)(x)
        _close(backend, result, np.stack([MATRIX] * 4))
        if backend.name == "numpy":
            result[0, 0, 0] = 7.0
            assert w[0, 0] == MATRIX[0, 0]

    def test_integers_and_keywords(self, backend, w):
        rows = backend.asarray(np.asarray([1, 0, 1]))
        result = pn.vmap(lambda i, table: backend.xp.take(table, i[None], axis=0)[0, :])(
            rows, table=w
        )
        _close(backend, result, MATRIX[[1, 0, 1]])

    def test_empty_batch(self, backend, x, w):
        def f(x):
            return backend.xp.sort(functional.softmax(x @ w.T), axis=0)

        result = pn.vmap(f)(x[:0, ...])
        assert tuple(result.shape) == (0, 3, 2)
        assert result.dtype == x.dtype
        scalars = pn.vmap(lambda a, b: (a[0] * 2, a[0] * b), in_axes=(1, None))(x[0, :1, :0], w)
        assert [tuple(y.shape) for y in scalars] == [(0,), (0, *w.shape)]

    def test_model_with_states(self, backend, x):
        model = pn.Chain(pn.Dense(5, 4, pn.tanh), pn.Dropout(0.5), pn.Dense(4, 2))
        ps, st = pn.setup(0, model, device=pn.device(backend.place))
        y, new = pn.vmap(lambda x: model(x, ps, st))(x)
        rows = [model(x[i, ...], ps, st) for i in range(4)]
        _close(backend, y, _stack(backend, [row[0] for row in rows]))  # one draw for every entry
        assert new["layer_2"]["key"] == rows[0][1]["layer_2"]["key"]


class TestNesting:
    def test_vmap_of_vmap(self, backend, x, w):
        inner = pn.vmap(lambda v: backend.xp.tanh(w @ v))
        _close(backend, pn.vmap(inner)(x), np.tanh(BATCH @ MATRIX.T))
        both = pn.vmap(pn.vmap(lambda a, b: a @ b, (None, 0)), (0, None))(x[0, ...], w)
        _close(backend, both, BATCH[0] @ MATRIX.T)

    def test_samples_and_second_order(self, backend, x, w):
        xp = backend.xp

        def f(v):
            return xp.sum(xp.tanh(w @ v) ** 2)

        hessians = pn.vmap(pn.vmap(pn.hessian(f)))(x)
        expected = _stack(backend, [pn.hessian(f)(x[1, i, :]) for i in range(3)])
        np.testing.assert_allclose(backend.to_numpy(hessians)[1], expected, rtol=1e-4, atol=1e-5)

        def penalty(w):
            slopes = pn.vmap(pn.grad(lambda v: xp.sum(xp.tanh(w @ v))))(x[0, ...])
            return xp.sum(slopes**2)

        def by_hand(w):
            t = xp.tanh(x[0, ...] @ w.T)
            return xp.sum(((1 - t**2) @ w) ** 2)

        expected = backend.to_numpy(pn.grad(by_hand)(w))
        _close(backend, pn.grad(penalty)(w), expected, rtol=1e-4)

    def test_pullback_and_tangent_of_a_batch(self, backend, x, w):
        xp = backend.xp
        _, pull = pn.vjp(lambda v: xp.tanh(w @ v), x[0, 0, :])
        rows = pn.vmap(lambda u: pull(u)[0])(xp.eye(2, dtype=x.dtype, device=backend.device))
        slope = 1 - np.tanh(MATRIX @ BATCH[0, 0]) ** 2
        _close(backend, rows, slope[:, None] * MATRIX)
        tangent = pn.jvp(pn.vmap(lambda v: xp.tanh(w @ v)), (x[0, ...],), (x[1, ...],))[1]
        slope = 1 - np.tanh(BATCH[0] @ MATRIX.T) ** 2
        _close(backend, tangent, slope * (BATCH[1] @ MATRIX.T))

    def test_custom_rule(self, backend, x):
        xp = backend.xp

        @pn.custom_vjp
        def double(v):
            return 2.0 * v

        double.defvjp(lambda v: (double(v), None), lambda _, g: (3.0 * g,))
        gradient = pn.vmap(pn.grad(lambda v: xp.sum(double(v))))(x)
        _close(backend, gradient, np.full_like(BATCH, 3.0))
        gradient = pn.grad(lambda x: xp.sum(pn.vmap(double)(x)))(x)
        _close(backend, gradient, np.full_like(BATCH, 3.0))


class TestRefusals:
    def test_axes(self, backend, x, w):
        with pytest.raises(ArgumentError, match="in_axes gives none to any"):
            pn.vmap(lambda a: a, None)(x)
        with pytest.raises(ArgumentError, match=r"one entry a positional argument: \(0,\) for 2"):
            pn.vmap(lambda a, b: a, (0,))(x, w)
        with pytest.raises(ArgumentError, match="in_axes holds int or None, not 'x'"):
            pn.vmap(lambda a: a, ("x",))(x)
        with pytest.raises(ArgumentError, match="out_axes 3 is out of range"):
            pn.vmap(lambda a: a, 0, 3)(x)
        with pytest.raises(ArgumentError, match="out_axes holds int, not None"):
            pn.vmap(lambda a: a, 0, None)(x)
        with pytest.raises(ArgumentError, match="in_axes is not a prefix"):
            pn.vmap(lambda a: a["a"], ({"b": 0},))({"a": x})
        with pytest.raises(ArgumentError, match="vmap takes a function, not int"):
            pn.vmap(3)

    def test_sizes(self, backend, x, w):
        with pytest.raises(ShapeError, match=r"4 entries in argument 0.*2 in argument 1.w"):
            pn.vmap(lambda a, b: a)(x, {"w": w})
        with pytest.raises(ShapeError, match=r"argument 0 of shape \(\) has no axis 0"):
            pn.vmap(lambda a: a)(backend.xp.sum(x))

    @pytest.mark.parametrize("backend", ["numpy", "array_api_strict"], indirect=True)
    def test_values(self, backend, x, w):
        with pytest.raises(TracedValueError, match=r"xp\.where\(condition, a, b\)"):
            pn.vmap(lambda a: a if backend.xp.sum(a) > 0 else -a)(x)
        with pytest.raises(TracedValueError, match=r"use xp\.where\(mask, x, 0\.0\)"):
            pn.vmap(lambda a: a[a > 0])(x)
        with pytest.raises(TracedValueError, match="has no single value"):
            pn.vmap(lambda a: float(a[0, 0]))(x)

    def test_nothing_is_left_behind(self, backend, x, w):
        with pytest.raises(ZeroDivisionError):
            pn.vmap(lambda a: 1 / 0)(x)
        _close(backend, pn.vmap(lambda a: a @ w.T)(x), BATCH @ MATRIX.T)


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict"], indirect=True)
class TestTape:
    def test_an_array_from_outside_is_not_indexed(self, backend, w):
        rows = backend.asarray(np.asarray([1, 0]))
        with pytest.raises(TracedValueError, match=r"xp\.take"):
            pn.vmap(lambda i: w[i, 0])(rows)

    def test_a_batched_index(self, backend, x):
        rows = backend.asarray(np.asarray([2, 0, -1, 1]))
        expected = BATCH[np.arange(4), [2, 0, -1, 1], 4]
        _close(backend, pn.vmap(lambda x, i: x[i, 4])(x, rows), expected)
        gradient = pn.vmap(pn.grad(lambda x, i: x[i, 4]))(x, rows)
        spread = np.zeros_like(BATCH)
        spread[np.arange(4), [2, 0, -1, 1], 4] = 1.0
        _close(backend, gradient, spread)

    def test_assignment_reaches_every_name_but_not_the_caller(self, backend, x):
        def f(x):
            y = x
            y += 1.0
            return y * x

        _close(backend, pn.vmap(f)(x), (BATCH + 1) * (BATCH + 1))
        _close(backend, x, BATCH)

    def test_without_a_rule_it_runs_entry_by_entry(self, backend, x):
        image = backend.xp.reshape(x, (4, 1, 3, 5))
        w = backend.asarray(np.ones((2, 5, 3), np.float32))

        def f(image):
            return functional.conv(image, w, padding=1)

        expected = _stack(backend, [f(image[i, ...]) for i in range(4)])
        _close(backend, pn.vmap(f)(image), expected)
        empty = pn.vmap(f)(image[:0, ...])
        assert tuple(empty.shape) == (0, *expected.shape[1:])

    def test_the_loop_of_a_library_without_vmap(self, backend, x, w):
        def f(x, w):
            return [x @ w.T, None]

        loop = pn.backends.Backend.vmap
        y, nothing = loop(backend.adapter, f, [x, w], [0, None])
        assert nothing is None
        _close(backend, y, BATCH @ MATRIX.T)
        y, _ = loop(backend.adapter, f, [x[:0, ...], w], [0, None])
        assert tuple(y.shape) == (0, 3, 2)
