"""Recorded loops under any derivatives and batches: the same values, of short programs."""

from __future__ import annotations

import autograd.extend
import numpy as np
import pytest
from control.bodies import XS, H, W
from tracing.same import check_jitted

import portanet as pn
from portanet.errors import TracedValueError

LONG = 0.1 * np.random.default_rng(3).normal(size=(200, 3))
h0 = H[0]
rows = XS[:, 0, :]


def long_loss(w):
    def step(c, x):
        c = np.tanh(c @ w + x)
        return c, np.sum(c * c)

    c, ys = pn.scan(step, h0, LONG)
    return np.sum(c) + np.sum(ys)


def squared_gradient(w):
    return np.sum(pn.grad(long_loss)(w) ** 2)


VERBS = {
    "hessian": pn.hessian(long_loss),
    "forward of reverse": lambda w: pn.jvp(pn.grad(long_loss), (w,), (w,)),
    "reverse of reverse": pn.grad(squared_gradient),
    "reverse of forward": pn.grad(lambda w: pn.jvp(long_loss, (w,), (w,))[1]),
    "third": lambda w: pn.jvp(pn.grad(squared_gradient), (w,), (w,)),
    "batch": lambda w: pn.vmap(long_loss)(np.stack([w, 2.0 * w])),
    "batch of gradients": lambda w: pn.vmap(pn.grad(long_loss))(np.stack([w, 2.0 * w])),
    "gradient of a batch": pn.grad(
        lambda w: np.sum(pn.vmap(long_loss)(np.stack([w, 2.0 * w])) ** 2)
    ),
    "jacobian": lambda w: pn.jacobian(lambda w: pn.scan(
        lambda c, x: (np.tanh(c @ w + x), c), h0, LONG
    )[1][-2:])(w),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_derivatives_of_200_steps_are_short_loops(verb):
    jitted = check_jitted(verb, 0.3 * W, rtol=1e-10, atol=1e-10)
    assert len(jitted.source(0.3 * W).splitlines()) < 500


def test_a_hessian_by_differences():
    w, steps = 0.3 * W, 1e-5
    found = pn.jit(pn.hessian(long_loss))(w)
    gradient = pn.grad(long_loss)
    for i, j in np.ndindex(3, 3):
        e = np.zeros((3, 3))
        e[i, j] = steps
        wanted = (gradient(w + e) - gradient(w - e)) / (2 * steps)
        np.testing.assert_allclose(found[i, j], wanted, rtol=1e-6, atol=1e-7)


def of_body(make):
    """Return a loss that calls ``make(w, x)``'s function in each step."""

    def loss(w, h, xs):
        def step(c, x):
            c = np.tanh(make(w, x)(c) @ w)
            return c, c

        c, ys = pn.scan(step, h, xs)
        return np.sum(c) + np.sum(ys**2)

    return loss


def using_a_row(w, x):
    @pn.custom_vjp
    def f(c):
        return c * x

    f.defvjp(lambda c: (c * x, None), lambda _, g: (3.0 * g * x,))
    return f


@pn.custom_jvp
def squared(x):
    return x * x


@squared.defjvp
def _(primals, tangents):
    return squared(*primals), 5.0 * primals[0] * tangents[0]


@autograd.extend.primitive
def cubed(x):
    return x**3


autograd.extend.defvjp(cubed, lambda y, x: lambda g: 3 * x**2 * g)
MADE = {
    "rule that uses a row": of_body(using_a_row),
    "rule of forward mode": of_body(lambda w, x: squared),
    "primitive of autograd": of_body(lambda w, x: cubed),
    "gradient in a step": of_body(lambda w, x: pn.grad(lambda c: np.sum(np.sin(c * x)))),
    "batch in a step": of_body(lambda w, x: lambda c: pn.vmap(lambda a, b: a * b)(c, x)),
    "checkpoint in a step": of_body(lambda w, x: pn.checkpoint(lambda c: np.sin(c @ w) * x)),
    "stopped": of_body(lambda w, x: lambda c: c * pn.stop_gradient(c @ w) + x),
    "checkpointed loop": lambda w, h, xs: np.sum(pn.checkpoint(
        lambda h: pn.scan(lambda c, x: (np.tanh(c @ w + x), c), h, xs)[1]
    )(h) ** 2),
}  # fmt: skip
ORDERS = {
    "first": pn.grad,
    "second": lambda loss: pn.grad(lambda *a: np.sum(pn.grad(loss)(*a) ** 2)),
    "batch": lambda loss: (
        lambda w, h, xs: pn.vmap(pn.grad(loss), (None, 0, None))(w, np.stack([h, 2.0 * h]), xs)
    ),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", MADE)
def test_what_a_step_may_do(name, order):
    check_jitted(ORDERS[order](MADE[name]), W, h0, rows, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wrap", [lambda function: function, pn.jit], ids=["eager", "jit"])
def test_a_rule_that_loses_a_derivative_is_refused(wrap):
    with pytest.raises(TracedValueError, match="pass it as one"):
        wrap(pn.grad(MADE["rule that uses a row"], (0, 2)))(W, h0, rows)


def test_whole_numbers_and_flags_are_carried():
    def loss(w, h, xs):
        def step(carry, x):
            c, i, flag = carry
            c = np.where(flag, np.tanh(c @ w + x * i), 0.5 * c)
            return (c, i + 1, ~flag), (c, i, flag)

        (c, i, _), (ys, counts, _) = pn.scan(step, (h, np.asarray(0), np.asarray(True)), xs)
        return np.sum(c) * i + np.sum(ys**2) + np.sum(counts * 1.0)

    for order in ORDERS.values():
        check_jitted(order(loss), W, h0, rows, rtol=1e-10)


def test_a_loop_in_a_branch():
    def loss(w, h, xs):
        def loop(h):
            return pn.scan(lambda c, x: (np.tanh(c @ w + x * h), c), h, xs)

        c, ys = pn.cond(np.sum(h) > 0.0, loop, lambda h: (h @ w, xs * 1.0), h)
        return np.sum(c * c) + np.sum(ys**2)

    for order in ORDERS.values():
        for h in (np.abs(h0), -np.abs(h0)):
            check_jitted(order(loss), W, h, rows, rtol=1e-10)


def test_recording_does_not_warn_of_guesses():
    """The logarithm of what comes after all steps, of which a recording takes no more than some."""
    xs = np.ones((5000, 1))

    def loss(w):
        total = pn.scan(lambda c, x: (c + w * x, None), np.asarray([-4000.0]), xs)[0]
        return np.sum(np.log(total))

    check_jitted(pn.value_and_grad(loss), np.asarray(1.0))
