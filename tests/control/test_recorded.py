"""Loops inside jit: the same results as eagerly, of a program that does not grow with them."""

from __future__ import annotations

import numpy as np
import pytest
from control.bodies import LOSSES, XS, H, W, recurrent
from hypothesis import given, settings
from hypothesis import strategies as st
from tape.test_threads import run_in_threads
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet.errors import TracedValueError

NAMES = ["numpy", "array_api_strict"]


@pytest.fixture(params=NAMES)
def adapter(request):
    if reason := pn.backends.available()[request.param]:
        pytest.skip(reason)
    return pn.backends.get_backend(request.param)


def placed(adapter, *arrays):
    device = adapter.parse_device("device1" if adapter.name == "array_api_strict" else None)
    return [adapter.from_numpy(np.asarray(x), device) for x in arrays]


def _hessian(loss):
    xp = pn.array_namespace
    return pn.grad(lambda *a: xp(*a).sum(pn.grad(loss)(*a) ** 2), (0, 1, 2))


def _both(loss):
    def both(w, h, xs):
        stack = pn.array_namespace(w).stack
        return pn.jacobian(lambda w: stack([loss(w, h, xs), loss(w, 2.0 * h, xs)]))(w)

    return both


def _batched(function):
    def batched(w, h, xs):
        several = pn.array_namespace(w).stack([xs, 2.0 * xs], axis=2)
        return pn.vmap(function, in_axes=(None, None, 2))(w, h, several)

    return batched


MODES = {
    "value": lambda loss: loss,
    "gradient": lambda loss: pn.value_and_grad(loss, (0, 1, 2)),
    "of weights": pn.grad,
    "forward": lambda loss: lambda *a: pn.jvp(loss, a, a),
    "second": _hessian,
    "forward of reverse": lambda loss: lambda *a: pn.jvp(pn.grad(loss), a, a),
    "jacobian": _both,
    "batch": _batched,
    "batch of gradients": lambda loss: _batched(pn.grad(loss, (0, 1, 2))),
}
CASES = [(library, name, mode) for library in NAMES for name in LOSSES for mode in MODES]


@pytest.mark.parametrize(
    ("adapter", "name", "mode"), CASES, ids=map("-".join, CASES), indirect=["adapter"]
)
def test_jitted_loops_give_what_eager_ones_give(adapter, name, mode):
    check_jitted(MODES[mode](LOSSES[name]), *placed(adapter, W, H, XS), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "counted"])
def test_programs_do_not_grow_with_the_loop(name, mode):
    function = MODES[mode](LOSSES[name])
    counts = []
    for length in (3, 30):
        arguments = W * 0.1, H, np.resize(XS, (length, 2, 3)) * 0.1
        counts.append(pn.jit(function).explain(*arguments).split("operations: ")[1].split("\n")[0])
    assert counts[0] == counts[1]


@pytest.mark.parametrize("jit", [False, True])
def test_ten_thousand_steps(jit):
    xs = np.random.default_rng(0).normal(size=(10_000, 2))

    def loss(w, xs):
        return np.sum(pn.scan(lambda c, x: (np.tanh(c * w + x), None), np.zeros(2), xs)[0])

    gradient = pn.grad(loss, (0, 1))
    g, of_xs = (pn.jit(gradient) if jit else gradient)(np.asarray(0.5), xs)
    expected = np.zeros(2)
    c, tangent = np.zeros(2), np.zeros(2)
    for x in xs:
        c, before = np.tanh(c * 0.5 + x), c
        tangent = (1 - c**2) * (before + 0.5 * tangent)
    np.testing.assert_allclose(g, np.sum(tangent), rtol=1e-9)
    np.testing.assert_allclose(of_xs[-1], 1 - c**2, rtol=1e-9)
    np.testing.assert_array_equal(of_xs[0], expected)


def test_replays_in_threads_do_not_disturb_each_other():
    gradient = pn.value_and_grad(recurrent, (0, 1, 2))
    jitted = pn.jit(gradient)
    expected = {scale: gradient(W * scale, H, XS) for scale in range(1, 5)}
    jitted(W, H, XS)

    def work(index):
        for i in range(40):
            scale = 1 + (i + index) % 4
            check_same(jitted(W * scale, H, XS), expected[scale])

    run_in_threads(work)


def test_results_are_not_written_by_later_replays():
    jitted = pn.jit(lambda h, xs: pn.scan(lambda c, x: (c + x, c), h, xs))
    first = jitted(H, XS)
    copy = pn.trees.map_leaves(np.copy, first)
    jitted(H + 1.0, XS)
    jitted(H + 2.0, XS)
    check_same(first, copy)
    first[0][...] = 0.0
    np.testing.assert_array_equal(first[1], copy[1])


def test_one_result_handed_out_twice_is_two_arrays():
    jitted = pn.jit(lambda h, xs: pn.scan(lambda c, x: (c + x, (c + x, c + x, c)), h, xs)[1])
    for _ in range(2):
        first, second, third = jitted(H, XS)
        assert not np.may_share_memory(first, second)
        first[...] = 0.0
        np.testing.assert_allclose(second[:-1], third[1:])


def test_arrays_of_a_step_do_not_outlive_it():
    kept = []

    def step(c, x):
        kept.append(c * x)
        return c + x, None

    with pytest.raises(TracedValueError, match="was kept and used after the call"):
        pn.jit(lambda h, xs: (pn.scan(step, h, xs), kept[-1] * 2.0))(H, XS)


def test_the_dtype_is_kept(adapter):
    arguments = placed(adapter, *(np.asarray(x, np.float32) for x in (W, H, XS)))
    check_jitted(pn.value_and_grad(recurrent, (0, 1, 2)), *arguments, rtol=1e-5, atol=1e-5)


def test_complex_numbers(adapter):
    xp = adapter.xp

    def loss(w, h, xs):
        c, ys = pn.scan(lambda c, x: (c @ w + x, xp.exp(c)), h, xs)
        return xp.sum(xp.real(c * xp.conj(c))) + xp.sum(xp.imag(ys))

    arguments = placed(adapter, W + 1j * W.T, H + 0.5j * H, XS - 1j * XS)
    check_jitted(pn.value_and_grad(loss, (0, 1, 2)), *arguments, rtol=1e-9, atol=1e-9)


def test_a_loop_over_constants(adapter):
    h, xs = placed(adapter, H, XS)

    def loss(w):
        xp = pn.array_namespace(w)
        return xp.sum(pn.scan(lambda c, x: (xp.sin(c @ w + x), None), h, xs)[0])

    (w,) = placed(adapter, W)
    check_jitted(pn.value_and_grad(loss), w)
    check_jitted(lambda w: (w, pn.scan(lambda c, x: (c + x, x), h, xs)), w)


def test_several_pullbacks_of_one_loop(adapter):
    def function(w, h, xs):
        (c, ys), pull = pn.vjp(lambda w: pn.scan(lambda c, x: (c @ w + x, c * c), h, xs), w)
        zero = pn.array_namespace(w).zeros_like
        return pull((c, zero(ys))), pull((zero(c), ys)), pull((c, ys))

    check_jitted(function, *placed(adapter, W, H, XS))


def test_products_of_rows_and_gradients_of_matrices_leave_the_loop():
    def loss(w, h, xs):
        return np.sum(pn.scan(lambda c, x: (np.tanh(x @ w + c), None), h, xs)[0])

    text, *loops = pn.jit(pn.grad(loss)).source(W, H, XS).split("def loop")
    assert text.count("dot(") == 2
    assert len(loops) == 2
    assert all("tanh" in loop or "multiply" in loop for loop in loops)
    assert not any("dot(" in loop for loop in loops)


UNARY = {
    "tanh": lambda xp, x: xp.tanh(x),
    "sin": lambda xp, x: xp.sin(x),
    "transposed": lambda xp, x: xp.permute_dims(xp.reshape(x, (3, 2)), (1, 0)),
    "column": lambda xp, x: xp.broadcast_to(x[:, :1], x.shape),
    "mean": lambda xp, x: x - xp.mean(x, axis=0),
    "flat": lambda xp, x: xp.reshape(xp.reshape(x, (6,)) * 0.5, (2, 3)),
    "joined": lambda xp, x: xp.concat([x[:, 1:], x[:, :1]], axis=1),
    "relu": lambda xp, x: xp.where(x > 0.0, x, 0.1 * x),
}
BINARY = {
    "add": lambda xp, x, y: x + y,
    "multiply": lambda xp, x, y: x * y * 0.5,
    "matmul": lambda xp, x, y: x @ xp.matrix_transpose(y) @ x * 0.2,
    "divide": lambda xp, x, y: x / (1.0 + y * y),
}
VALUES = st.integers(0, 30)
PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), VALUES),
        st.tuples(st.sampled_from(sorted(BINARY)), VALUES, VALUES),
        st.tuples(st.just("weights"), VALUES),
    ),
    min_size=1,
    max_size=8,
)


@given(program=PROGRAMS, outputs=st.tuples(VALUES, VALUES, VALUES), reverse=st.booleans())
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_random_steps(program, outputs, reverse):
    def step(w, carry, x):
        values = [*carry, x]
        for name, *places in program:
            chosen = [values[-1 - place % len(values)] for place in places]
            if name == "weights":
                values.append(np.sin(chosen[0] @ w))
            else:
                values.append((UNARY if name in UNARY else BINARY)[name](np, *chosen))
        a, b, y = (values[-1 - place % len(values)] for place in outputs)
        return (a, b), y

    def loss(w, h, xs):
        carry, ys = pn.scan(lambda c, x: step(w, c, x), (h, 2.0 * h), xs, reverse=reverse)
        return np.sum(carry[0] * carry[1]) + np.sum(ys * ys)

    check_jitted(pn.value_and_grad(loss, (0, 1, 2)), W, H, XS, rtol=1e-8, atol=1e-8)
