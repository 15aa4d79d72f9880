"""A checkpointed function has the same value and derivatives and stores its inputs only."""

from __future__ import annotations

import concurrent.futures
import tracemalloc

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, TracedValueError

X = np.asarray([0.3, -0.7, 1.2])
W = np.asarray([1.1, 0.6, -0.8])
V = np.asarray([0.5, -1.0, 2.0])


def assert_close(backend, actual, expected, tolerance=1e-12):
    assert backend.adapter.dtype_name(actual.dtype) == "float64"
    found = backend.to_numpy(actual)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def captured(xp, x, w):
    """``tanh(x w²)`` where the checkpointed function takes `w` from around it."""
    return pn.checkpoint(lambda x: xp.tanh(x * w * w))(x)


def passed(xp, x, w):
    return pn.checkpoint(lambda x, ps: xp.tanh(x * ps["w"] * ps["w"]))(x, ps={"w": w})


def hidden(xp, x, w):
    """No argument is differentiated."""
    return pn.checkpoint(lambda ones: xp.tanh(x * w * w * ones))(xp.ones_like(pn.stop_gradient(x)))


def nested(xp, x, w):
    inner = pn.checkpoint(lambda a: a * w)
    return pn.checkpoint(lambda x: xp.tanh(pn.checkpoint(lambda b: inner(inner(b)))(x)))(x)


PROGRAMS = {f.__name__: f for f in (captured, passed, hidden, nested)}


@pytest.fixture(params=PROGRAMS)
def case(backend, request):
    f = PROGRAMS[request.param]
    xp = backend.xp
    return backend, lambda x, w: f(xp, x, w), *map(backend.asarray, (X, W, V))


Z = X * W * W
S = 1 - np.tanh(Z) ** 2  # tanh'
C = -2 * np.tanh(Z) * S  # tanh''


def test_value_and_gradients(case):
    backend, f, x, w, _ = case
    assert_close(backend, f(x, w), np.tanh(Z))
    gx, gw = pn.grad(lambda x, w: backend.xp.sum(f(x, w)), (0, 1))(x, w)
    assert_close(backend, gx, S * W * W)
    assert_close(backend, gw, S * 2 * X * W)
    assert_close(backend, pn.grad(lambda w: backend.xp.sum(f(x, w)))(w), S * 2 * X * W)
    assert_close(backend, pn.grad(lambda x: backend.xp.sum(f(x, w)))(x), S * W * W)


def test_forward_mode(case):
    backend, f, x, w, v = case
    value, tangent = pn.jvp(f, (x, w), (v, v))
    assert_close(backend, value, np.tanh(Z))
    assert_close(backend, tangent, S * (W * W + 2 * X * W) * V)


def test_second_order_in_every_nesting(case):
    backend, f, x, w, v = case
    xp = backend.xp
    expected = (C * (2 * X * W) ** 2 + S * 2 * X) * V
    gradient = pn.grad(lambda w: xp.sum(f(x, w)))
    assert_close(backend, pn.jvp(gradient, (w,), (v,))[1], expected)
    assert_close(backend, pn.grad(lambda w: xp.sum(gradient(w) * v))(w), expected)
    push = lambda w: pn.jvp(lambda w: f(x, w), (w,), (v,))[1]  # noqa: E731
    assert_close(backend, pn.grad(lambda w: xp.sum(push(w)))(w), expected)
    assert_close(backend, pn.jvp(push, (w,), (v,))[1], expected * V)


def test_mixed_second_order(case):
    backend, f, x, w, _ = case
    xp = backend.xp
    mixed = pn.grad(lambda w: xp.sum(pn.grad(lambda x: xp.sum(f(x, w)))(x)))
    assert_close(backend, mixed(w), C * W * W * 2 * X * W + S * 2 * W)


def test_third_order(backend):
    xp = backend.xp
    w, x = backend.asarray(W), backend.asarray(X)
    f = lambda w: xp.sum(pn.checkpoint(lambda x: xp.exp(x * w))(x))  # noqa: E731
    for _ in range(2):
        f = lambda w, f=f: xp.sum(pn.grad(f)(w))  # noqa: E731
    assert_close(backend, pn.grad(f)(w), X**3 * np.exp(X * W))


def test_perturbations_are_not_confused(backend):
    xp = backend.xp
    x, w = backend.asarray(X), backend.asarray(W)
    block = lambda w: pn.checkpoint(lambda x: x * w * w)  # noqa: E731
    outer = pn.grad(lambda w: xp.sum(w * pn.grad(lambda x: xp.sum(block(w)(x)))(x)))
    assert_close(backend, outer(w), 3 * W * W)


def test_derivatives_inside_a_checkpoint(backend):
    xp = backend.xp
    x, w, v = map(backend.asarray, (X, W, V))

    def f(w):
        def block(x):
            gradient = pn.grad(lambda x: xp.sum(xp.sin(x * w)))(x)
            return gradient + pn.jvp(lambda x: x * x * w, (x,), (v,))[1]

        return xp.sum(pn.checkpoint(block)(x))

    expected = np.cos(X * W) - W * X * np.sin(X * W) + 2 * X * V
    assert_close(backend, pn.grad(f)(w), expected)
    assert_close(backend, pn.jvp(f, (w,), (v,))[1], np.sum(expected * V))


def test_trees_integers_and_whatever_else(backend):
    xp = backend.xp

    @pn.checkpoint
    def block(ps, i, name, *, scale):
        return {"y": xp.take(ps["w"], i, axis=0) * scale, "i": i, "name": name, "none": None}

    i = backend.asarray(np.asarray([2, 0]))
    w = backend.asarray(W)
    out = block({"w": w}, i, "n", scale=2.0)
    assert (out["name"], out["none"]) == ("n", None)
    np.testing.assert_array_equal(backend.to_numpy(out["i"]), [2, 0])
    gradient = pn.grad(lambda ps: xp.sum(block(ps, i, "n", scale=2.0)["y"]))({"w": w})
    assert_close(backend, gradient["w"], [2.0, 0.0, 2.0])
    assert block.__name__ == "block"


def test_a_captured_array_may_be_returned_as_it_is(backend):
    xp = backend.xp
    x, w = backend.asarray(X), backend.asarray(W)
    f = lambda x, w: pn.checkpoint(lambda x: (w, x, x * w))(x)  # noqa: E731
    gx, gw = pn.grad(lambda x, w: xp.sum(xp.stack(f(x, w))), (0, 1))(x, w)
    assert_close(backend, gx, 1 + W)
    assert_close(backend, gw, 1 + X)


def test_an_argument_may_be_captured_as_well(backend):
    xp, x = backend.xp, backend.asarray(X)

    def function(x):
        return xp.sum(pn.checkpoint(lambda y: xp.sin(y) * x)(x))

    slope = np.cos(X) * X + np.sin(X)
    np.testing.assert_allclose(backend.to_numpy(pn.grad(function)(x)), slope, rtol=1e-12)
    tangent = pn.jvp(function, (x,), (xp.ones_like(x),))[1]
    np.testing.assert_allclose(float(backend.to_numpy(tangent)), slope.sum(), rtol=1e-12)


def test_a_param_is_found_although_it_is_captured(backend):
    xp = backend.xp
    x, w = backend.asarray(X), pn.Param(backend.asarray(W))
    block = pn.checkpoint(lambda x: xp.tanh(x * w * w))
    gradients = pn.gradient(lambda: xp.sum(block(x)), pn.params(w))
    assert_close(backend, gradients[w], S * 2 * X * W)


def test_stopped_gradients_stay_stopped(backend):
    xp = backend.xp
    x, w = backend.asarray(X), backend.asarray(W)
    f = lambda w: xp.sum(pn.checkpoint(lambda x: x * pn.stop_gradient(w) * w)(x))  # noqa: E731
    assert_close(backend, pn.grad(f)(w), X * W)


def test_the_loss_of_a_model_with_dropout_and_batch_statistics(backend):
    model = pn.Chain(pn.Dense(3, 8, pn.tanh), pn.BatchNorm(8), pn.Dropout(0.5), pn.Dense(8, 1))
    ps, st = pn.setup(np.random.default_rng(0), model, dtype="float64", device=backend.place)
    x = backend.asarray(np.random.default_rng(1).normal(size=(5, 3)))

    def loss(run):
        def f(ps):
            y, new = run(x, ps, st)
            return backend.xp.sum(y * y), new

        return pn.value_and_grad(f, has_aux=True)(ps)

    (value, new), gradient = loss(model)
    (value_again, new_again), again = loss(pn.checkpoint(model))
    (_, _), captured = loss(lambda x, ps, st: pn.checkpoint(lambda x: model(x, ps, st))(x))
    assert_close(backend, value_again, backend.to_numpy(value))
    for found in (again, captured):
        for a, b in zip(pn.trees.leaves(found), pn.trees.leaves(gradient), strict=True):
            assert_close(backend, a, backend.to_numpy(b))
    pairs = zip(pn.trees.leaves(new_again), pn.trees.leaves(new), strict=True)
    for a, b in pairs:
        if hasattr(b, "shape"):
            np.testing.assert_allclose(backend.to_numpy(a), backend.to_numpy(b), rtol=1e-12)
        else:
            assert a == b


def chain(xp, x, length, piece):
    def run(x):
        for _ in range(piece):
            x = xp.sin(x) * 1.01
        return x

    return lambda wrap: lambda x: xp.sum(_repeat(wrap(run), x, length // piece))


def _repeat(f, x, times):
    for _ in range(times):
        x = f(x)
    return x


def test_memory_falls():
    """400 steps of 100 kB each: 80 MB stored at once, or 20 inputs and one piece of 20 steps."""
    xp = pn.array_namespace(np.ones(1))
    x = np.linspace(0.0, 1.0, 12_500)
    loss = chain(xp, x, 400, 20)

    def peak(f):
        tracemalloc.start()
        gradient = pn.grad(f)(x)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, gradient

    plain, gradient = peak(loss(lambda f: f))
    less, again = peak(loss(pn.checkpoint))
    np.testing.assert_array_equal(gradient, again)
    assert plain > 75e6
    assert less < 0.15 * plain


def test_memory_falls_with_captured_arrays_too():
    xp = pn.array_namespace(np.ones(1))
    x = np.linspace(0.0, 1.0, 12_500)

    def loss(wrap):
        def f(w):
            block = wrap(lambda x: _repeat(lambda x: xp.sin(x * w), x, 20))
            return xp.sum(_repeat(block, x, 20))

        return f

    sizes = []
    for wrap in (lambda f: f, pn.checkpoint):
        tracemalloc.start()
        pn.grad(loss(wrap))(x)
        sizes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sizes[1] < 0.15 * sizes[0]


def test_the_function_runs_once_forward_and_once_backward():
    calls = []

    def block(x):
        calls.append(1)
        return np.sin(x)

    value, pullback = pn.vjp(pn.checkpoint(block), X)
    assert len(calls) == 1
    pullback(value)
    assert len(calls) == 2
    pn.checkpoint(block)(X)
    assert len(calls) == 3


def test_a_function_that_changes_its_mind_is_refused():
    runs = iter(range(9))
    w, u = W, V

    def f(w, u):
        return np.sum(pn.checkpoint(lambda x: x * (w if next(runs) == 0 else u))(w))

    with pytest.raises(TracedValueError, match="uses other arrays when it is run again"):
        pn.grad(f, (0, 1))(w, u)


def test_an_error_leaves_nothing_behind():
    def broken(w):
        def block(x):
            raise RuntimeError("oh")

        return np.sum(pn.checkpoint(block)(X * w))

    with pytest.raises(RuntimeError, match="oh"):
        pn.grad(broken)(W)
    gradient = pn.grad(lambda w: np.sum(pn.checkpoint(lambda x: x * w)(X)))(W)
    np.testing.assert_array_equal(gradient, X)


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentError, match="checkpoint"):
        pn.checkpoint(3)  # pyright: ignore


def test_threads(case):
    backend, f, _, w, _ = case
    xp = backend.xp

    def work(seed):
        x = backend.asarray(X + seed)
        gradient = pn.grad(lambda w: xp.sum(f(x, w)))
        for _ in range(5):
            first, second = gradient(w), pn.grad(lambda w: xp.sum(gradient(w)))(w)
        return backend.to_numpy(first), backend.to_numpy(second)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for seed, (first, second) in enumerate(pool.map(work, range(8))):
            x = X + seed
            s = 1 - np.tanh(x * W * W) ** 2
            c = -2 * np.tanh(x * W * W) * s
            np.testing.assert_allclose(first, s * 2 * x * W, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(
                second, c * (2 * x * W) ** 2 + s * 2 * x, rtol=1e-9, atol=1e-12
            )


def test_a_pullback_may_be_called_from_several_threads(backend):
    xp = backend.xp
    pullback = pn.vjp(lambda w: captured(xp, backend.asarray(X), w), backend.asarray(W))[1]

    def work(scale):
        return backend.to_numpy(pullback(backend.asarray(V * scale))[0])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for scale, found in zip(range(1, 30), pool.map(work, range(1, 30)), strict=True):
            np.testing.assert_allclose(found, S * 2 * X * W * V * scale, rtol=1e-12)


def test_captured_arrays_reach_derivatives_and_rules_inside(backend):
    """The captured array is itself what the inner derivative and the custom rule are given."""
    xp = backend.xp
    x, w, v = map(backend.asarray, (X, W, V))

    @pn.custom_vjp
    def f(x):
        return x * x

    f.defvjp(lambda x: (f(x), x), lambda x, g: (5 * g * x,))

    def loss(w):
        def block(x):
            cube = pn.grad(lambda w: xp.sum(w**3))(w)
            push = pn.jvp(lambda w: w**3, (w,), (v,))[1]
            return x * (f(w) + cube + push)

        return xp.sum(pn.checkpoint(block)(x))

    expected = X * (5 * W + 6 * W + 6 * W * V)
    assert_close(backend, pn.grad(loss)(w), expected)
    assert_close(backend, pn.jvp(loss, (w,), (v,))[1], np.sum(expected * V))
    second = X * (11 + 6 * V)
    if backend.name != "jax":
        assert_close(backend, pn.hvp(loss, w, v), second * V)


def test_batches(backend):
    xp = backend.xp
    xs = backend.asarray(np.stack([X, W, V]))
    w = backend.asarray(W)
    for f in (captured, passed, nested):
        gradient = pn.grad(lambda x, w, f=f: xp.sum(f(xp, x, w)), 1)
        found = pn.vmap(gradient, (0, None))(xs, w)
        z = np.stack([X, W, V]) * W * W
        expected = (1 - np.tanh(z) ** 2) * 2 * np.stack([X, W, V]) * W
        assert_close(backend, found, expected)
        total = pn.grad(lambda w, f=f: xp.sum(pn.vmap(lambda x: f(xp, x, w))(xs)))
        assert_close(backend, total(w), expected.sum(0))


def test_torch_draws_the_same_numbers_again():
    torch = pytest.importorskip("torch")
    x = torch.ones(100, dtype=torch.float64)

    def block(x):
        mask = torch.rand(100, dtype=torch.float64) < 0.5
        drawn.append(mask)
        return x * mask

    drawn = []
    gradient = pn.grad(lambda x: pn.checkpoint(block)(x).sum())(x)
    assert len(drawn) == 2
    torch.testing.assert_close(gradient, drawn[0].to(torch.float64), rtol=0, atol=0)


def test_torch_frees_what_a_checkpoint_does_not_store():
    torch = pytest.importorskip("torch")
    x = torch.linspace(0.0, 1.0, 1000, dtype=torch.float64, requires_grad=True)

    def stored(wrap):
        total = 0

        def count(tensor):
            nonlocal total
            total += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
            wrap(lambda x: _repeat(lambda x: torch.sin(x) * 1.01, x, 50))(x)
        return total

    assert stored(lambda f: f) >= 50_000
    assert stored(pn.checkpoint) <= 2_000
