"""`scan` and `fori_loop` on every library: values, derivatives, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from control.bodies import LOSSES, XS, H, W, recurrent

import portanet as pn
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    ShapeError,
)


def given(backend, *arrays):
    return [backend.asarray(x) for x in arrays]


@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_derivatives_are_those_of_torch(backend, reverse):
    torch = pytest.importorskip("torch")
    w, h, xs = (torch.tensor(x, requires_grad=True) for x in (W, H, XS))
    c, ys = h, []
    for x in reversed(xs) if reverse else xs:
        c = torch.tanh(c @ w + x)
        ys.append(c * c)
    total = c.sum() + (torch.stack(ys) ** 2).sum()
    total.backward()
    arguments = given(backend, W, H, XS)
    function = pn.value_and_grad(lambda *a: recurrent(*a, reverse=reverse), (0, 1, 2))
    for run in (function, pn.jit(function)):
        value, gradients = run(*arguments)
        np.testing.assert_allclose(backend.to_numpy(value), total.detach().numpy(), rtol=1e-12)
        for g, x in zip(gradients, (w, h, xs), strict=True):
            np.testing.assert_allclose(backend.to_numpy(g), x.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_values_are_those_of_jax():
    jax = pytest.importorskip("jax")

    def step(xp, c, x):
        c = xp.sin(c) * x[0] + x[1]
        return c, (c, x[0] - c)

    xs = XS, 2.0 * XS[::-1]
    expected = jax.lax.scan(lambda c, x: step(jax.numpy, c, x), H, xs, reverse=True)
    found = pn.scan(lambda c, x: step(np, c, x), H, xs, reverse=True)
    for a, e in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
        np.testing.assert_allclose(a, np.asarray(e), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in LOSSES if n not in ("ruled", "drawing", "branching")])
def test_gradients_are_those_of_finite_differences(backend, name):
    loss = LOSSES[name]
    arguments = given(backend, W, H, XS)
    directions = given(backend, *(np.cos(x) for x in (W, H, XS)))
    _, tangent = pn.jvp(loss, arguments, directions)
    gradients = pn.grad(loss, (0, 1, 2))(*arguments)
    step = 1e-6
    ahead, behind = (
        float(backend.to_numpy(loss(*given(backend, *(x + s * np.cos(x) for x in (W, H, XS))))))
        for s in (step, -step)
    )
    slope = (ahead - behind) / (2 * step)
    product = sum(
        float(np.sum(backend.to_numpy(g) * backend.to_numpy(d)))
        for g, d in zip(gradients, directions, strict=True)
    )
    np.testing.assert_allclose(float(backend.to_numpy(tangent)), slope, rtol=1e-6)
    np.testing.assert_allclose(product, slope, rtol=1e-6)


def test_batches_of_loops(backend):
    w, h, xs = given(backend, W, H, np.stack([XS, 2.0 * XS], axis=2))
    gradients = pn.vmap(pn.grad(recurrent), in_axes=(None, None, 2))(w, h, xs)
    for i in range(2):
        one = pn.grad(recurrent)(w, h, xs[:, :, i, :])
        np.testing.assert_allclose(
            backend.to_numpy(gradients)[i], backend.to_numpy(one), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("jit", [False, True])
def test_no_steps(backend, jit):
    h, xs = given(backend, H, XS[:0])

    def function(h, xs):
        return pn.scan(lambda c, x: (c * 2.0, (x, c @ c.T)), h, xs)

    c, (first, second) = (pn.jit(function) if jit else function)(h, xs)
    np.testing.assert_array_equal(backend.to_numpy(c), H)
    assert tuple(first.shape) == (0, 2, 3)
    assert tuple(second.shape) == (0, 2, 2)
    assert first.dtype == second.dtype == h.dtype


def test_without_arrays_to_loop_over(backend):
    (h,) = given(backend, H)
    c, ys = pn.scan(lambda c, x: (c + 1.0, None if x is None else c), h, length=3)
    np.testing.assert_allclose(backend.to_numpy(c), H + 3.0)
    assert ys is None


def test_keys_split_in_the_carry_draw_the_same_everywhere(backend):
    (h,) = given(backend, H)

    def step(carry, x):
        key, c = carry
        key, own = key.split()
        return (key, c + 1.0), pn.random.uniform(own, (2,), like=h)

    (key, c), ys = pn.scan(step, (pn.random.key(0), h), length=3)
    np.testing.assert_allclose(backend.to_numpy(c), H + 3.0)
    expected, root = [], pn.random.key(0)
    for _ in range(3):
        root, own = root.split()
        expected.append(pn.random.uniform(own, (2,), like=H))
    assert key == root
    if not backend.adapter.own_draws:
        np.testing.assert_array_equal(backend.to_numpy(ys), np.stack(expected))


def test_an_index_is_an_array(backend):
    (h,) = given(backend, H)

    def body(i, c):
        assert tuple(i.shape) == ()
        assert backend.xp.isdtype(i.dtype, "integral")
        return c * backend.xp.astype(i, c.dtype)

    np.testing.assert_allclose(backend.to_numpy(pn.fori_loop(2, 5, body, h)), H * 24.0)
    assert pn.fori_loop(3, 3, body, h) is h


def test_keys_are_not_folded_with_an_index():
    def body(i, c):
        return c + pn.random.uniform(pn.random.key(0).fold_in(i), (), like=c)

    with pytest.raises(HyperparameterError, match="data is an integer"):
        pn.jit(lambda c: pn.fori_loop(0, 3, body, c))(np.zeros(()))


STEPS = {
    "shape": (lambda c, x: (c[:1], x), ShapeError, r"scan: carry: shape \(1, 3\) != \(2, 3\)"),
    "dtype": (
        lambda c, x: (c.astype(np.float32), x), DTypeError,
        "scan: carry: dtype float32 != float64: convert it with xp.astype",
    ),
    "structure": (lambda c, x: ({"a": c}, x), ParameterTreeError, "scan: carry: the entries"),
    "no pair": (lambda c, x: c, ArgumentError, r"scan: f returns \(carry, y\), not ndarray"),
    "no array": (lambda c, x: (c, {"n": 1}), ArgumentError, "scan: y.n: an array, not int"),
}  # fmt: skip


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("step", "kind", "text"), STEPS.values(), ids=STEPS)
def test_steps_that_do_not_fit(step, kind, text, jit):
    def function(h, xs):
        return pn.scan(lambda c, x: step(c, x), h, xs)

    if jit and step is STEPS["dtype"][0]:
        step = lambda c, x: (pn.array_namespace(c).astype(c, np.float32), x)  # noqa: E731
    if jit:
        function = pn.jit(function)
        text = text.replace("ndarray", r"\w+")
    with pytest.raises(kind, match=text):
        function(H, XS)


def test_results_that_differ_from_step_to_step():
    sizes = iter(range(1, 9))
    with pytest.raises(ShapeError, match=r"scan: y: shape \(2,\) != \(1,\)"):
        pn.scan(lambda c, x: (c, np.zeros(next(sizes))), H, XS)


def test_numbers_in_a_carry_stay_as_they_are():
    with pytest.raises(ArgumentError, match=r"scan: carry\.n: only arrays and random keys may"):
        pn.scan(lambda c, x: ({"n": c["n"] + 1}, x), {"n": 0}, XS)


ARGUMENTS = {
    "lengths": (
        lambda: pn.scan(lambda c, x: (c, x), H, (XS, XS[:2])), ShapeError,
        r"scan: xs\.1\.shape\[0\] == length: 2 != 5",
    ),
    "number": (lambda: pn.scan(lambda c, x: (c, x), H, 3.0), ArgumentError, "xs is an array"),
    "no axis": (
        lambda: pn.scan(lambda c, x: (c, x), H, np.asarray(1.0)), ShapeError, "no axis to loop",
    ),
    "no length": (lambda: pn.scan(lambda c, x: (c, x), H), ArgumentError, "give length"),
    "negative": (
        lambda: pn.scan(lambda c, x: (c, x), H, length=-1), ArgumentError, "at least 0: got -1",
    ),
    "no function": (lambda: pn.scan(1, H, XS), ArgumentError, "scan: f is a function: got int"),
    "bounds": (
        lambda: pn.fori_loop(0, 1.5, lambda i, c: c, H), ArgumentError, "lower and upper are",
    ),
    "no body": (lambda: pn.fori_loop(0, 1, None, H), ArgumentError, "body is a function"),
    "no arrays": (
        lambda: pn.fori_loop(0, 1, lambda i, c: c, 1.0), ArgumentError, "init needs an array",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_that_do_not_fit(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_the_cost_of_a_derivative_grows_with_the_length_alone():
    """One cotangent a step, none of which is as long as the whole."""
    xs = np.ones((4000, 50))
    _, pull = pn.vjp(lambda xs: pn.scan(lambda c, x: (c + x, None), np.zeros(50), xs)[0], xs)
    (g,) = pull(np.ones(50))
    np.testing.assert_array_equal(g, xs)
