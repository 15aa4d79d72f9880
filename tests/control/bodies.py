"""Losses of (w, h, xs) that loop: what a step may do."""

from __future__ import annotations

import numpy as np

import portanet as pn

RNG = np.random.default_rng(7)
W = RNG.normal(size=(3, 3))
H = 0.1 * RNG.normal(size=(2, 3))
XS = RNG.normal(size=(5, 2, 3))


@pn.custom_vjp
def _odd(x):
    return x * 2.0


_odd.defvjp(lambda x: (x * 2.0, x), lambda kept, g: (g * 7.0 * kept,))


def _device(x):
    return pn.backends.backend_of(x).device_of(x)


def recurrent(w, h, xs, reverse=False):
    xp = pn.array_namespace(w)

    def step(c, x):
        c = xp.tanh(c @ w + x)
        return c, c * c

    c, ys = pn.scan(step, h, xs, reverse=reverse)
    return xp.sum(c) + xp.sum(ys * ys)


def backwards(w, h, xs):
    return recurrent(w, h, xs, reverse=True)


def projected(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        z = x @ w + xp.matrix_transpose(xp.matrix_transpose(c) * 2.0) @ (w * w)
        c = pn.sigmoid(z[:, :1]) * c + xp.sin(z)
        return c, (c @ xp.matrix_transpose(w), xp.sum(c * w[0, :], axis=0))

    c, (ys, zs) = pn.scan(step, h, xs)
    return xp.mean(c**2) + xp.sum(ys * ys) + xp.sum(zs)


def nested(w, h, xs):
    xp = pn.array_namespace(w)

    def outer(c, x):
        def inner(d, row):
            d = xp.sin(d @ w + row)
            return d, xp.sum(d * w[0, :])

        return pn.scan(inner, c, xp.stack([x, x * 2.0, x * c]))

    c, ys = pn.scan(outer, h, xs)
    return xp.sum(c) + xp.sum(ys**2)


def with_gradient(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        g = pn.grad(lambda c: xp.sum(xp.tanh(c @ w) * x))(c)
        return c - 0.1 * g, xp.sum(g)

    c, ys = pn.scan(step, h, xs)
    return xp.sum(c * c) + xp.sum(ys)


def checkpointed(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        c = pn.checkpoint(lambda c: xp.tanh(c @ w + x))(c)
        return c, c

    c, ys = pn.scan(step, h, xs)
    return xp.sum(c * c) + xp.sum(ys)


def ruled(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        c = xp.tanh(_odd(c @ w) + pn.stop_gradient(x * c))
        return c, c

    c, ys = pn.scan(step, h, xs)
    return xp.sum(c * c) + xp.sum(ys)


def drawing(w, h, xs):
    xp = pn.array_namespace(w)

    def step(carry, x):
        c, key = carry
        key, own = key.split()
        c = xp.tanh(c @ w + x * pn.random.uniform(own, (2, 3), like=x))
        return (c, key), c

    (c, _), ys = pn.scan(step, (h, pn.random.key(3)), xs)
    return xp.sum(c * c) + xp.sum(ys)


def trees(w, h, xs):
    xp = pn.array_namespace(w)

    def step(carry, x):
        a, b, n = carry["a"], carry["b"], carry["n"]
        carry = {"a": b, "b": xp.sin(a @ w) + x * h, "n": n + 1, "flag": carry["flag"]}
        return carry, (a, x, xp.ones_like(x), h, None)

    start = {"a": h, "b": h * 2.0, "n": xp.asarray(0, device=_device(w)), "flag": True}
    carry, ys = pn.scan(step, start, {"x": xs}["x"])
    return xp.sum(carry["a"] * carry["b"]) + sum(xp.sum(y * y) for y in pn.trees.leaves(ys))


def numbers(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        c = xp.sin(c * x) + w[0, 0]
        return c, c * x

    c, ys = pn.scan(step, w[1, 1], xs[:, 0, 0])
    return c * c + xp.sum(ys)


def counted(w, h, xs):
    xp = pn.array_namespace(w)

    def body(i, c):
        x = xp.take(xs, xp.reshape(i, (1,)), axis=0)[0, ...]
        return xp.tanh(c @ w + x * xp.astype(i, x.dtype))

    return xp.sum(pn.fori_loop(1, 4, body, h) ** 2)


def rare(w, h, xs):
    xp = pn.array_namespace(w)
    order = xp.flip(xp.arange(3, device=_device(w)))

    def step(c, x):
        c = xp.take(c, order, axis=1) * x + xp.max(c) + xp.sum(w)
        _, r = xp.linalg.qr(c @ xp.matrix_transpose(c) + 9.0 * xp.eye(2, device=_device(w)))
        return xp.where(c > 0.0, c, 0.5 * c) * 0.1, r

    c, ys = pn.scan(step, h, xs)
    return xp.sum(c * c) + xp.sum(ys * ys)


def branching(w, h, xs):
    xp = pn.array_namespace(w)

    def step(c, x):
        bend, shift = (lambda c: xp.sin(c @ w) + x), (lambda c: c - 0.5 * x * w[1, :])
        c = pn.cond(xp.sum(c) > 0.3, bend, shift, c)
        return c, xp.sum(c)

    c, ys = pn.scan(step, h, xs)
    return xp.sum(c * c) + xp.sum(ys)


LOSSES = {
    f.__name__: f
    for f in (
        recurrent, backwards, projected, nested, with_gradient, checkpointed, ruled, drawing,
        trees, numbers, counted, rare, branching,
    )
}  # fmt: skip
