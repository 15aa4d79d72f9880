"""Engines by value: what they compute on every library, how they nest, and what they refuse."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

import portanet as pn
from portanet.autodiff import engines
from portanet.errors import ArgumentError, NoDerivativeError, TracedValueError

ENGINES = {
    "own": None,
    "tape": pn.AutoTape(),
    "differences": pn.AutoFiniteDifference(),
}
NARROW = {"float32": 1e-3, "float16": 0.1, "complex64": 1e-3}
X = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
W = np.asarray([1.1, 0.6, -0.8])
V = np.asarray([[0.5, -0.2, 0.1], [-0.4, 0.7, 0.6]])


@pytest.fixture(params=ENGINES)
def ad(request):
    return ENGINES[request.param]


@pytest.fixture
def arrays(backend):
    return [backend.asarray(a) for a in (X, W, V)]


def f(x, w):
    """A function of the standard, written as layers are: the namespace is that of what it has."""
    xp = pn.array_namespace(w)
    return xp.sum(xp.sin(w * x)) + xp.sum(w[1:] * (x**2 @ w))


def df(x, w):
    return np.cos(w * x) * w + 2 * x * np.outer(w[1:], w)


def d2f(x, w, v):
    return -np.sin(w * x) * w**2 * v + 2 * v * np.outer(w[1:], w)


def close(backend, actual, expected, ad, orders=1):
    """Compare within what differences can do: each order loses half of the digits left."""
    assert pn.backends.backend_of(actual) is backend.adapter
    assert backend.adapter.device_of(actual) == backend.device
    exact = not isinstance(ad, pn.AutoFiniteDifference)
    tolerance = 1e-12 if exact else 1e-9 if orders == 1 else 2e-5
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=tolerance, atol=tolerance)


class TestVerbs:
    """Every verb that takes an engine, on every library."""

    def test_gradients(self, backend, arrays, ad):
        x, w, _ = arrays
        value, gradient = pn.value_and_grad(f, ad=ad)(x, w)
        assert float(backend.to_numpy(value)) == pytest.approx(float(f(X, W)), rel=1e-14)
        for found in (gradient, pn.grad(f, ad=ad)(x, w), pn.gradient(f, x, w, ad=ad)[0]):
            close(backend, found, df(X, W), ad)

    def test_products(self, backend, arrays, ad):
        x, w, v = arrays
        one = backend.asarray(np.asarray(1.0))
        slope = np.sum(df(X, W) * V)
        value, pullback = pn.vjp(lambda x: f(x, w), x, ad=ad)
        close(backend, pullback(one)[0], df(X, W), ad)
        close(backend, pn.jvp(lambda x: f(x, w), (x,), (v,), ad=ad)[1], slope, ad)
        close(backend, pn.linearize(lambda x: f(x, w), x, ad=ad)[1](v), slope, ad)
        close(backend, pn.jacobian_vector_product(lambda x: f(x, w), x, v, ad=ad), slope, ad)
        close(backend, pn.vector_jacobian_product(lambda x: f(x, w), x, one, ad=ad), df(X, W), ad)
        close(backend, pn.derivative(lambda t: f(t * x, w), ad=ad)(one), np.sum(df(X, W) * X), ad)
        assert float(backend.to_numpy(value)) == pytest.approx(float(f(X, W)), rel=1e-14)

    @pytest.mark.parametrize("mode", ["forward", "reverse"])
    def test_jacobians(self, backend, arrays, ad, mode):
        x, w, _ = arrays
        jacobian = pn.jacobian(lambda w: x * w * w, mode=mode, ad=ad)(w)
        close(backend, jacobian, X[..., None] * 2 * np.diag(W), ad)
        rows = pn.batched_jacobian(lambda x: x * x * w, mode=mode, ad=ad)(x)
        close(backend, rows, 2 * X[:, :, None] * np.diag(W), ad)

    def test_second_order(self, backend, arrays, ad):
        x, w, v = arrays
        close(backend, pn.hvp(lambda x: f(x, w), x, v, ad=ad), d2f(X, W, V), ad, orders=2)
        hessian = backend.to_numpy(pn.hessian(f, ad=ad)(x, w))
        product = np.tensordot(hessian, V, 2)
        close(backend, backend.asarray(product), d2f(X, W, V), ad, orders=2)

    def test_training(self, backend, ad):
        model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.LayerNorm(4), pn.Dense(4, 2))
        device = pn.device(backend.place)
        ps, st = device(pn.setup(0, model, dtype="float64"))
        data = device((X, X[:, :2]))
        ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.1))
        value, _, expected = pn.training.train_step(pn.MSELoss(), data, ts, jit=False)
        same, _, found = pn.training.train_step(pn.MSELoss(), data, ts, ad=ad)
        assert float(backend.to_numpy(same)) == pytest.approx(float(backend.to_numpy(value)))
        leaves = map(pn.trees.leaves, (found.parameters, expected.parameters))
        for p, q in zip(*leaves, strict=True):
            close(backend, p, backend.to_numpy(q), ad)

    def test_auxiliary_results_are_those_of_the_point_itself(self, backend, arrays, ad):
        x, w, _ = arrays
        seen = []

        def noted(x):
            seen.append(len(seen))
            return f(x, w), {"x": x, "runs": f"{len(seen)} runs"}

        (_, aux), _ = pn.value_and_grad(noted, has_aux=True, ad=ad)(x)
        assert aux["runs"] == f"{len(seen)} runs"
        np.testing.assert_array_equal(backend.to_numpy(aux["x"]), X)

    def test_complex_numbers(self, backend, ad):
        z = X + 1j * V
        given = backend.asarray(z)

        def g(z):
            xp = pn.array_namespace(z)
            return xp.sum(xp.abs(z * z) ** 2) + xp.sum(xp.imag(z * xp.real(z)))

        gradient = pn.grad(g, ad=ad)(given)
        expected = 4 * np.abs(z) ** 2 * z + np.imag(z) + 1j * np.real(z)
        close(backend, gradient, expected, ad)
        slope = np.sum(np.real(np.conj(expected) * (1 - 2j)))
        close(backend, pn.jvp(g, (given,), (given * 0 + (1 - 2j),), ad=ad)[1], slope, ad)
        holomorphic = pn.jacobian(lambda z: z * z, mode="forward", ad=ad)(given[0, :])
        close(backend, holomorphic, np.diag(2 * z[0]), ad)

    @pytest.mark.parametrize("name", NARROW)
    def test_dtypes_stay(self, backend, ad, name):
        if name == "float16" and backend.name == "array_api_strict":
            pytest.skip("it has no float16")
        x = backend.xp.astype(backend.asarray(X), backend.dtype(name))

        def g(x):
            xp = pn.array_namespace(x)
            return xp.sum(xp.real(x * x) / 4)

        gradient = pn.grad(g, ad=ad)(x)
        assert gradient.dtype == x.dtype
        near = NARROW[name] if isinstance(ad, pn.AutoFiniteDifference) else 1e-3
        host = backend.to_numpy(gradient)
        np.testing.assert_allclose(host, X / 2, rtol=near, atol=near)
        assert pn.jvp(g, (x,), (x,), ad=ad)[1].dtype == g(x).dtype

    def test_indices(self, backend, arrays, ad):
        """An entry that is read twice gets both cotangents; what is not read gets a zero."""
        x, w, _ = arrays
        rows, columns = (backend.asarray(np.asarray(i)) for i in ([0, 1, 0], [2, 0, 2]))

        def g(x):
            xp = pn.array_namespace(x)
            parts = xp.sum(xp.sin(x[rows, columns])), xp.sum(x[:, 1:] ** 2), xp.sum(x[0, ...] * w)
            changed = pn.functional.at(x)[1].set(w)
            return sum(parts) + xp.sum(xp.take(changed, columns, axis=1) ** 2)

        expected = np.zeros(X.shape)
        np.add.at(expected, ([0, 1, 0], [2, 0, 2]), np.cos(X[[0, 1, 0], [2, 0, 2]]))
        expected[:, 1:] += 2 * X[:, 1:]
        expected[0] += W + 2 * X[0] * [1, 0, 2]
        close(backend, pn.grad(g, ad=ad)(x), expected, ad)

    def test_nothing_to_differentiate(self, backend, ad):
        none = backend.asarray(np.zeros((0, 2)))
        x = backend.asarray(X)

        def g(none, x):
            xp = pn.array_namespace(x)
            return {"sum": xp.sum(none) + xp.sum(x), "count": xp.argmax(x), "text": "as it is"}

        value, pullback = pn.vjp(g, none, x, ad=ad)
        of_none, of_x = pullback(value)
        assert of_none.shape == (0, 2)
        close(backend, of_x, np.full(X.shape, np.sum(X)), ad)
        tangent = pn.jvp(g, (none, x), (none, x), ad=ad)[1]
        close(backend, tangent["sum"], np.sum(X), ad)
        assert tangent["text"] == "as it is"


class TestNesting:
    """Levels of different engines: the same numbers, whichever is outside."""

    @pytest.mark.parametrize("inner", ENGINES)
    def test_of_two_gradients(self, backend, arrays, ad, inner):
        x, w, v = arrays

        def along(x):
            xp = pn.array_namespace(v)
            return xp.sum(v * pn.grad(f, ad=ENGINES[inner])(x, w))

        two = isinstance(ad, pn.AutoFiniteDifference) and inner == "differences"
        rough = ad if isinstance(ad, pn.AutoFiniteDifference) else ENGINES[inner]
        for found in (
            pn.grad(along, ad=ad)(x),
            pn.jvp(lambda x: pn.grad(f, ad=ENGINES[inner])(x, w), (x,), (v,), ad=ad)[1],
        ):
            close(backend, found, d2f(X, W, V), rough, orders=2 if two else 1)

    @pytest.mark.parametrize("inner", ENGINES)
    def test_what_an_outer_level_holds_is_no_constant(self, backend, ad, inner):
        """Of perturbations that are confused, the mixed derivative would be 2."""
        one = backend.asarray(np.asarray(1.0))

        def outer(x):
            return x * pn.grad(lambda y: x + y, ad=ENGINES[inner])(one)

        rough = ad if isinstance(ad, pn.AutoFiniteDifference) else ENGINES[inner]
        close(backend, pn.grad(outer, ad=ad)(one), 1.0, rough)

    def test_inside_a_batch(self, backend, arrays, ad):
        x, w, _ = arrays
        each = pn.vmap(pn.grad(lambda x: f(x[None, :] + w[:2, None] * 0, w), ad=ad))
        expected = np.stack([df(np.stack([r, r]), W).sum(axis=0) for r in X])
        close(backend, each(x), expected, ad)

    def test_around_a_batch(self, backend, arrays, ad):
        x, w, _ = arrays

        def g(x):
            xp = pn.array_namespace(x)
            return xp.sum(pn.vmap(lambda r: xp.sum(xp.sin(w * r)) * r)(x))

        sines = np.sum(np.sin(W * X), axis=1, keepdims=True)
        rows = np.sum(X, axis=1, keepdims=True)
        close(backend, pn.grad(g, ad=ad)(x), np.cos(W * X) * W * rows + sines, ad)

    def test_recorded(self, backend, arrays, ad):
        x, w, _ = arrays
        recorded = pn.jit(pn.grad(f, ad=ad))
        for _ in range(2):
            close(backend, recorded(x, w), df(X, W), ad)

    def test_custom_rules(self, backend, arrays, ad):
        x, w, _ = arrays

        @pn.custom_vjp
        def doubled(x):
            return 2 * x

        doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (5 * g,))

        @pn.custom_jvp
        def tripled(x):
            return 3 * x

        tripled.defjvp(lambda primals, tangents: (3 * primals[0], 7 * tangents[0]))
        of_rules = not isinstance(ad, pn.AutoFiniteDifference)
        gradient = pn.grad(lambda x: f(doubled(x), w) + f(tripled(x), w), ad=ad)(x)
        rates = (5, 7) if of_rules else (2, 3)
        expected = rates[0] * df(2 * X, W) + rates[1] * df(3 * X, W)
        close(backend, gradient, expected, ad)

    def test_checkpoints_loops_and_branches(self, backend, arrays, ad):
        x, w, _ = arrays

        def g(x):
            xp = pn.array_namespace(x)
            carry, ys = pn.scan(lambda c, r: (c + xp.sin(r), c * r), w, x)
            chosen = pn.cond(xp.sum(w) > 0, lambda c: c * c, lambda c: c, carry)
            return xp.sum(pn.checkpoint(xp.exp)(chosen)) + xp.sum(ys)

        carry = W + np.sin(X[0]) + np.sin(X[1])
        through = np.exp(carry**2) * 2 * carry
        expected = np.stack(
            [(through + X[1]) * np.cos(X[0]) + W, through * np.cos(X[1]) + W + np.sin(X[0])]
        )
        close(backend, pn.grad(g, ad=ad)(x), expected, ad)

    def test_parameters_without_a_place(self, backend, arrays, ad):
        x, w, _ = arrays
        p = pn.Param(x)
        gradients = pn.gradient(lambda: f(p.value, w), pn.params(p), ad=ad)
        close(backend, gradients[p], df(X, W), ad)

    def test_several_threads(self, backend, arrays):
        """Each thread has engines of its own, and a thread inside of the tape's stays on it."""
        x, w, _ = arrays
        found = {}

        def task(i, ad):
            found[i] = [pn.grad(f, ad=ad)(x, w) for _ in range(20)]

        chosen = [None, pn.AutoTape(), None, pn.AutoTape()]
        threads = [threading.Thread(target=task, args=pair) for pair in enumerate(chosen)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, ad in enumerate(chosen):
            for gradient in found[i]:
                close(backend, gradient, df(X, W), ad)
        assert pn.backends.backend_of(x) is backend.adapter

    def test_nothing_is_left_behind_by_an_error(self, backend, arrays, ad):
        x, _, _ = arrays

        def failing(x):
            raise RuntimeError("of the user")

        with pytest.raises(RuntimeError, match="of the user"):
            pn.grad(failing, ad=ad)(x)
        assert pn.backends.backend_of(x) is backend.adapter
        assert pn.array_namespace(x) is backend.xp


class TestDefaults:
    def test_the_tape_is_the_engine_of_libraries_without(self, backend):
        adapter, found = engines.choose(pn.AutoTape(), [backend.asarray(X)])
        assert adapter is found
        assert (found is backend.adapter) is not backend.adapter.differentiates_itself
        assert engines.choose(pn.AutoTape(), [backend.asarray(X)])[1] is found

    def test_engines_are_values(self):
        assert pn.AutoTape() == pn.AutoTape()
        assert len({pn.AutoFiniteDifference(), pn.AutoFiniteDifference(None)}) == 1
        assert pn.AutoFiniteDifference(1e-3) != pn.AutoFiniteDifference()
        assert repr(pn.AutoFiniteDifference(1e-3)) == "AutoFiniteDifference(step=0.001)"

    def test_the_step_of_differences(self, backend):
        x = backend.asarray(np.asarray(2.0))
        slope = pn.grad(lambda x: x**3, ad=pn.AutoFiniteDifference(0.25))(x)
        assert float(backend.to_numpy(slope)) == 12.25  # f' + h² f'''/6 with h = 0.25 · 2

    def test_small_entries_beside_large_ones(self, backend):
        x = backend.asarray(np.asarray([1e-3, 1e6]))

        squares = pn.jacobian(lambda x: x * x, mode="reverse", ad=pn.AutoFiniteDifference())
        np.testing.assert_allclose(backend.to_numpy(squares(x)), np.diag([2e-3, 2e6]), rtol=1e-9)

    @pytest.mark.parametrize("step", [0, -1.0, float("nan"), float("inf"), "small", True, [1e-3]])
    def test_a_step_is_a_number_above_zero(self, step):
        with pytest.raises(ArgumentError, match="step is a number > 0: got"):
            pn.AutoFiniteDifference(step)

    @pytest.mark.parametrize("ad", ["torch", pn.AutoTape, 1, object()])
    def test_what_is_no_engine(self, backend, ad):
        x = backend.asarray(X)
        for call in (
            lambda: pn.grad(f, ad=ad)(x, x[0, :]),
            lambda: pn.jvp(lambda x: x, (x,), (x,), ad=ad),
            lambda: pn.jacobian(lambda x: x, ad=ad)(x),
        ):
            with pytest.raises(ArgumentError, match=r"ad is pn\.AutoTape\(\), pn\.AutoFin"):
                call()


class TestRefusals:
    """What only the library's own arrays can do, on arrays that the tape differentiates."""

    @pytest.fixture
    def x(self, backend):
        if not backend.adapter.differentiates_itself:
            pytest.skip("its own methods are differentiated")
        return backend.asarray(X)

    def grad(self, function, x):
        return pn.grad(function, ad=pn.AutoTape())(x)

    def test_methods(self, x):
        with pytest.raises(AttributeError, match=r"without 'cumsum': use the functions of xp = pn"):
            self.grad(lambda x: x.cumsum(0), x)

    def test_functions(self, backend, x):
        text = rf"{backend.name}'s own was given .*use those of xp = pn\.array_namespace\(x\)"
        xp = backend.xp
        with pytest.raises(TracedValueError, match=text):
            self.grad(lambda y: xp.sum(xp.sin(y)), x)
        with pytest.raises(TracedValueError, match=text):
            pn.jvp(xp.sin, (x,), (x,), ad=pn.AutoTape())

    def test_values(self, x):
        for convert in (float, int, complex, np.asarray, lambda x: x.item()):
            with pytest.raises(TracedValueError, match="no concrete value here"):
                self.grad(lambda x, convert=convert: convert(x[0, 0]) * x[0, 0], x)

    def test_writes(self, x):
        def writing(x):
            x[0, 0] = 1.0
            return x[0, 0]

        with pytest.raises(TracedValueError, match="cannot be written in place"):
            self.grad(writing, x)

    def test_moves(self, x):
        with pytest.raises(TracedValueError, match="cannot change its device"):
            self.grad(lambda x: np.sum(pn.device("numpy")(x)), x)

    def test_missing_rules_are_named(self, x):
        def values(x):
            xp = pn.array_namespace(x)
            return xp.sum(xp.unique_values(x))

        with pytest.raises(NoDerivativeError, match=re.escape("unique_values has no derivative")):
            self.grad(values, x)

    def test_an_error_of_the_users_own_stays(self, x):
        def failing(x):
            raise TypeError("not ours")

        with pytest.raises(TypeError, match="not ours"):
            self.grad(failing, x)
