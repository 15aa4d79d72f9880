"""Implicit parameters, as in the Flux tutorial: `Param`, `params`, `Grads`."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import portanet as pn
from portanet.errors import BackendMismatchError, DTypeError, ParameterTreeError, TracedValueError

W = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
B = np.asarray([0.25, -0.5])
X = np.asarray([1.1, 0.6, -0.8])
Y = np.asarray([1.0, 2.0])


def close(backend, actual, expected):
    assert pn.backends.backend_of(actual) is backend.adapter
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=1e-12, atol=1e-14)


@pytest.fixture
def arrays(backend):
    return [backend.asarray(a) for a in (W, B, X, Y)]


def test_the_loss_of_the_tutorial(backend, arrays):
    w, b = map(pn.Param, arrays[:2])
    x, y = arrays[2:]

    def predict(x):
        return w @ x + b

    def loss(x, y):
        return backend.xp.sum((y - predict(x)) ** 2)

    gradients = pn.gradient(lambda: loss(x, y), pn.params(w, b))
    residual = -2 * (Y - (W @ X + B))
    close(backend, gradients[w], np.outer(residual, X))
    close(backend, gradients[b], residual)

    before = float(backend.to_numpy(loss(x, y)))
    w -= 0.1 * gradients[w]
    b -= 0.1 * gradients[b]
    close(backend, w.value, W - 0.1 * np.outer(residual, X))
    assert float(backend.to_numpy(loss(x, y))) < before
    close(backend, arrays[0], W)  # the user's array is not written into


OPERATORS = {
    "array + param": (lambda a, p: a + p, np.ones(2)),
    "param + array": (lambda a, p: p + a, np.ones(2)),
    "array - param": (lambda a, p: a - p, -np.ones(2)),
    "array * param": (lambda a, p: a * p, Y),
    "param * array": (lambda a, p: p * a, Y),
    "array / param": (lambda a, p: a / p, -Y / B**2),
    "param / array": (lambda a, p: p / a, 1 / Y),
    "array ** param": (lambda a, p: a**p, np.log(Y) * Y**B),
    "param ** number": (lambda a, p: p**3, 3 * B**2),
    "number * param": (lambda a, p: 2.0 * p, 2 * np.ones(2)),
    "number - param": (lambda a, p: 2.0 - p, -np.ones(2)),
    "-param": (lambda a, p: -p, -np.ones(2)),
    "+param": (lambda a, p: +p, np.ones(2)),
    "abs(param)": (lambda a, p: abs(p), np.sign(B)),
    "param + param": (lambda a, p: p + p, 2 * np.ones(2)),
    "param * param": (lambda a, p: p * p, 2 * B),
    "array @ param": (lambda a, p: a @ p, Y),
    "param @ array": (lambda a, p: p @ a, Y),
    "param @ param": (lambda a, p: p @ p, 2 * B),
    "param[0]": (lambda a, p: p[0], np.asarray([1.0, 0.0])),
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_operators_on_either_side(backend, arrays, kind):
    function, expected = OPERATORS[kind]
    p, a = pn.Param(arrays[1]), arrays[3]
    gradients = pn.gradient(lambda: backend.xp.sum(function(a, p)), pn.params(p))
    close(backend, gradients[p], expected)


@pytest.mark.parametrize("name", ["exp", "tanh", "square"])
def test_functions_of_the_namespace(backend, arrays, name):
    p = pn.Param(arrays[1])
    xp = pn.array_namespace(arrays[1])
    gradients = pn.gradient(lambda: xp.sum(getattr(xp, name)(p.value)), pn.params(p))
    slopes = {"exp": np.exp(B), "tanh": 1 - np.tanh(B) ** 2, "square": 2 * B}
    close(backend, gradients[p], slopes[name])


def test_functions_of_numpy():
    p = pn.Param(B)
    gradients = pn.gradient(lambda: np.sum(np.exp(p) * Y) + np.dot(p, Y), pn.params(p))
    np.testing.assert_allclose(gradients[p], np.exp(B) * Y + Y, rtol=1e-14)


def test_functions_of_torch():
    torch = pytest.importorskip("torch")
    p = pn.Param(torch.tensor(B))
    gradients = pn.gradient(lambda: torch.sum(torch.exp(p)), pn.params(p))
    np.testing.assert_allclose(gradients[p].numpy(), np.exp(B), rtol=1e-14)


def test_a_parameter_that_is_not_used_has_a_zero(backend, arrays):
    w, b = map(pn.Param, arrays[:2])
    gradients = pn.gradient(lambda: backend.xp.sum(b * b), pn.params(w, b))
    close(backend, gradients[w], np.zeros(W.shape))
    close(backend, gradients[b], 2 * B)


def test_only_the_parameters_that_are_named(backend, arrays):
    w, b = map(pn.Param, arrays[:2])
    gradients = pn.gradient(lambda: backend.xp.sum(w @ arrays[2] * b), pn.params(b))
    close(backend, gradients[b], W @ X)
    assert len(gradients) == 1
    assert list(gradients) == [b]
    with pytest.raises(ParameterTreeError, match="no gradient for this Param"):
        gradients[w]
    with pytest.raises(KeyError):
        gradients[w]


def test_params_of_trees_each_once(backend, arrays):
    w, b = map(pn.Param, arrays[:2])
    collected = pn.params({"layer": [w, (b, w)]}, b)
    assert len(collected) == 2
    assert w in collected
    assert pn.Param(arrays[0]) not in collected
    gradients = pn.gradient(lambda: backend.xp.sum(b.value) + backend.xp.sum(w.value), collected)
    close(backend, gradients[w], np.ones(W.shape))


def test_a_model_of_parameters(backend, arrays):
    class Linear:
        def __init__(self, weight, bias):
            self.weight, self.bias = pn.Param(weight), pn.Param(bias)

        def __call__(self, x):
            return pn.tanh(self.weight @ x + self.bias)

    model = Linear(*arrays[:2])
    names = pn.params(model.weight, model.bias)
    gradients = pn.gradient(lambda: backend.xp.sum(model(arrays[2])), names)
    slope = 1 - np.tanh(W @ X + B) ** 2
    close(backend, gradients[model.weight], np.outer(slope, X))
    close(backend, gradients[model.bias], slope)


def test_the_parameter_itself_is_the_value(backend):
    p = pn.Param(backend.asarray(np.asarray(3.0)))
    close(backend, pn.gradient(lambda: p, pn.params(p))[p], np.asarray(1.0))


def test_a_parameter_as_an_explicit_argument(backend, arrays):
    p = pn.Param(arrays[1])
    gradient = pn.grad(lambda x: backend.xp.sum(x**3))(p)
    close(backend, gradient, 3 * B**2)
    value, tangent = pn.jvp(lambda x: (p, x), (arrays[3],), (arrays[3],))
    close(backend, value[0], B)
    close(backend, tangent[0], np.zeros(2))


class TestNesting:
    def test_a_derivative_inside_the_loss(self, backend, arrays):
        """A loss with the derivative of the model in its input, differentiated by parameters."""
        xp, p, x = backend.xp, pn.Param(arrays[1]), arrays[3]

        def loss():
            slope = pn.grad(lambda x: xp.sum(p * x**3))(x)
            return xp.sum(slope**2)

        close(backend, pn.gradient(loss, pn.params(p))[p], 18 * B * Y**4)

    def test_implicit_inside_implicit(self, backend, arrays):
        xp, p, q = backend.xp, pn.Param(arrays[1]), pn.Param(arrays[3])

        def outer():
            return xp.sum(pn.gradient(lambda: xp.sum(p**2 * q**2), pn.params(p))[p] * q)

        gradients = pn.gradient(outer, pn.params(p, q))
        close(backend, gradients[p], 2 * Y**3)
        close(backend, gradients[q], 6 * B * Y**2)

    def test_the_same_parameter_twice(self, backend, arrays):
        xp, p = backend.xp, pn.Param(arrays[1])

        def outer():
            return xp.sum(pn.gradient(lambda: xp.sum(p**3), pn.params(p))[p])

        close(backend, pn.gradient(outer, pn.params(p))[p], 6 * B)

    def test_hessian_vector_product(self, backend, arrays):
        xp, p = backend.xp, pn.Param(arrays[1])

        def gradient_at(scale):
            return pn.gradient(lambda: xp.sum((p * scale) ** 3), pn.params(p))[p]

        one = backend.asarray(np.asarray(1.0))
        _, tangent = pn.jvp(gradient_at, (one,), (one,))
        close(backend, tangent, 9 * B**2)


class TestState:
    def test_an_exception_leaves_nothing_behind(self, backend, arrays):
        p = pn.Param(arrays[1])

        def failing():
            raise ZeroDivisionError(repr(p))

        with pytest.raises(ZeroDivisionError):
            pn.gradient(failing, pn.params(p))
        assert p.value is arrays[1]
        p.value = arrays[3]
        close(backend, p.value, Y)

    def test_no_replacement_while_differentiated(self, backend, arrays):
        p = pn.Param(arrays[1])

        def replacing():
            p.value = arrays[3]
            return backend.xp.sum(p.value)

        with pytest.raises(TracedValueError, match="a Param cannot be replaced while"):
            pn.gradient(replacing, pn.params(p))
        close(backend, p.value, B)

    def test_threads_see_their_own(self, backend, arrays):
        p, found = pn.Param(arrays[1]), {}
        inside = threading.Barrier(4)

        def work(i):
            def loss():
                inside.wait(30)
                return backend.xp.sum((i + 1.0) * p**2)

            found[i] = pn.gradient(loss, pn.params(p))[p]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            close(backend, found[i], 2 * (i + 1) * B)

    def test_another_thread_sees_the_plain_array(self, backend, arrays):
        p, seen = pn.Param(arrays[1]), []

        def loss():
            thread = threading.Thread(target=lambda: seen.append(p.value))
            thread.start()
            thread.join()
            return backend.xp.sum(p * p)

        pn.gradient(loss, pn.params(p))
        assert seen[0] is arrays[1]


class TestRefusals:
    def test_a_param_holds_an_array(self):
        with pytest.raises(DTypeError, match="a Param holds an array, not list"):
            pn.Param([1.0])

    def test_params_collects_params(self):
        with pytest.raises(DTypeError, match="params collects Param, not ndarray: wrap it"):
            pn.params(np.ones(2))

    def test_integers(self, backend):
        p = pn.Param(backend.asarray(np.arange(3)))
        with pytest.raises(DTypeError, match="only floating-point arrays and numbers"):
            pn.gradient(lambda: p.value, pn.params(p))

    def test_two_libraries(self):
        torch = pytest.importorskip("torch")
        p, q = pn.Param(B), pn.Param(torch.tensor(B))
        with pytest.raises(BackendMismatchError, match="numpy and torch"):
            pn.gradient(lambda: (p * p).sum(), pn.params(p, q))

    def test_raw_functions_of_a_strict_library_fail_aloud(self):
        """They would read the array inside, and the gradient would be a silent zero."""
        raw = pytest.importorskip("array_api_strict")
        p = pn.Param(raw.asarray(B))
        with pytest.raises(AttributeError, match="_array"):
            pn.gradient(lambda: raw.sum(p), pn.params(p))


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "linear", "softmax"])
def test_functions_take_a_param_in_the_place_of_any_array(backend, name):
    x = backend.asarray(np.arange(6.0).reshape(2, 3))
    scale, weight = backend.asarray(np.asarray([0.5, -1.0, 2.0])), backend.asarray(np.ones((4, 3)))
    f = getattr(pn.functional, name)
    given = {"layer_norm": (x, scale, scale), "rms_norm": (x, scale), "linear": (x, weight)}
    args = given.get(name, (x,))
    expected = f(*args)
    pn.testing.assert_close(f(*map(pn.Param, args)), expected, rtol=1e-12)
    for i in range(1, len(args)):
        mixed = (*args[:i], pn.Param(args[i]), *args[i + 1 :])
        pn.testing.assert_close(f(*mixed), expected, rtol=1e-12)
    param = pn.Param(args[-1])
    found = pn.gradient(lambda: backend.xp.sum(f(*args[:-1], param) ** 2), pn.params(param))[param]
    explicit = pn.grad(lambda p: backend.xp.sum(f(*args[:-1], p) ** 2))(args[-1])
    pn.testing.assert_close(found, explicit, rtol=1e-12)
