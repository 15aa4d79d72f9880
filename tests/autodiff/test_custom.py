"""Derivatives written by the user hold in every mode, order and nesting, on every backend."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest

import portanet as pn
from portanet.errors import (
    ArgumentError,
    DTypeError,
    NoDerivativeError,
    ParameterTreeError,
    ShapeError,
    TracedValueError,
)

X = np.asarray([0.3, -0.7, 1.2])
Y = np.asarray([1.1, 0.6, -0.8])
V = np.asarray([0.5, -1.0, 2.0])


def assert_close(backend, actual, expected, tolerance=1e-12):
    assert backend.adapter.dtype_name(actual.dtype) == "float64"
    found = backend.to_numpy(actual)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def wave(xp, kind):
    """``x * sin(y)`` with a derivative that says ``3 x`` for the second argument.

    So a derivative that goes through the body, not the rule, shows.
    """
    if kind == "vjp":

        @pn.custom_vjp
        def f(x, y):
            return x * xp.sin(y)

        def forward(x, y):
            return f(x, y), (x, xp.sin(y))

        def backward(residuals, g):
            x, s = residuals
            return g * s, g * 3.0 * x

        f.defvjp(forward, backward)
    else:

        @pn.custom_jvp
        def f(x, y):
            return x * xp.sin(y)

        @f.defjvp
        def rule(primals, tangents):
            (x, y), (dx, dy) = primals, tangents
            return f(x, y), dx * xp.sin(y) + dy * 3.0 * x

    return f


@pytest.fixture(params=["vjp", "jvp"])
def case(backend, request):
    return backend, wave(backend.xp, request.param), *map(backend.asarray, (X, Y, V))


def total(backend, f):
    return lambda *args: backend.xp.sum(f(*args))


def test_the_value_is_that_of_the_body(case):
    backend, f, x, y, _ = case
    assert_close(backend, f(x, y), X * np.sin(Y))


def test_reverse_mode_follows_the_rule(case):
    backend, f, x, y, _ = case
    gx, gy = pn.grad(total(backend, f), (0, 1))(x, y)
    assert_close(backend, gx, np.sin(Y))
    assert_close(backend, gy, 3 * X)


def test_forward_mode_follows_the_rule(case):
    backend, f, x, y, v = case
    value, tangent = pn.jvp(f, (x, y), (v, v))
    assert_close(backend, value, X * np.sin(Y))
    assert_close(backend, tangent, V * np.sin(Y) + 3 * X * V)


def test_an_argument_given_by_name_has_the_same_derivative(case):
    backend, f, x, y, v = case
    assert_close(backend, pn.grad(lambda y: backend.xp.sum(f(x, y=y)))(y), 3 * X)
    assert_close(backend, pn.jvp(lambda y: f(y=y, x=x), (y,), (v,))[1], 3 * X * V)


def test_the_second_derivative_differentiates_the_rule(case):
    backend, f, x, y, v = case
    gradient = pn.grad(total(backend, f))
    # d/dy of the first component, sin(y), which the forward pass computed
    assert_close(backend, pn.jvp(lambda y: gradient(x, y), (y,), (v,))[1], np.cos(Y) * V)
    assert_close(backend, pn.grad(lambda y: backend.xp.sum(gradient(x, y)))(y), np.cos(Y))
    second = pn.grad(total(backend, f), 1)
    assert_close(backend, pn.grad(lambda x: backend.xp.sum(second(x, y) * v))(x), 3 * V)
    tangent = lambda y: pn.jvp(lambda x: f(x, y), (x,), (v,))[1]  # noqa: E731
    assert_close(backend, pn.grad(lambda y: backend.xp.sum(tangent(y)))(y), np.cos(Y) * V)
    assert_close(backend, pn.jvp(tangent, (y,), (v,))[1], np.cos(Y) * V * V)


def test_outputs_follow_the_rule_at_every_order(case):
    backend, f, x, y, _ = case
    xp = backend.xp
    # d/dy of f² is 2 f · 3x, and d/dy of that is 2 (3x)² by the rule
    square = pn.grad(lambda y: xp.sum(f(x, y) ** 2))
    assert_close(backend, square(y), 6 * X * X * np.sin(Y))
    assert_close(backend, pn.grad(lambda y: xp.sum(square(y)))(y), 18 * X * X)
    assert_close(backend, pn.jvp(square, (y,), (xp.ones_like(y),))[1], 18 * X * X)


def test_third_order(backend):
    xp = backend.xp

    @pn.custom_jvp
    def root(x):
        return xp.sqrt(x)

    @root.defjvp
    def rule(primals, tangents):
        y = root(primals[0])
        return y, tangents[0] / (2 * y)

    @pn.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (3 * g * x * x,))

    def thrice(f, x):
        for _ in range(3):
            f = pn.grad(lambda x, f=f: xp.sum(f(x)))
        return f(x)

    x = backend.asarray(X * X + 0.5)
    assert_close(backend, thrice(root, x), 0.375 * (X * X + 0.5) ** -2.5)
    assert_close(backend, thrice(cube, x), np.full(3, 6.0))
    forward = lambda f: lambda x: pn.jvp(f, (x,), (xp.ones_like(x),))[1]  # noqa: E731
    assert_close(backend, forward(forward(forward(cube)))(x), np.full(3, 6.0))
    assert_close(backend, forward(forward(forward(root)))(x), 0.375 * (X * X + 0.5) ** -2.5)


def test_a_straight_through_estimator_has_second_derivatives(backend):
    xp = backend.xp

    @pn.custom_vjp
    def step(x):
        return xp.round(x)

    step.defvjp(lambda x: (xp.round(x), None), lambda _, g: (g,))
    x = backend.asarray(X)
    gradient = pn.grad(lambda x: xp.sum(step(x) ** 2))
    assert_close(backend, gradient(x), 2 * np.round(X))
    assert_close(backend, pn.jvp(gradient, (x,), (xp.ones_like(x),))[1], np.full(3, 2.0))
    assert_close(backend, pn.grad(lambda x: xp.sum(gradient(x)))(x), np.full(3, 2.0))


def test_a_gradient_inside_a_rule(backend):
    xp = backend.xp
    inner = lambda x: xp.sum(xp.sin(x) * x)  # noqa: E731

    @pn.custom_vjp
    def f(x):
        return xp.sin(x) * x

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * pn.grad(inner)(x),))
    x, v = backend.asarray(X), backend.asarray(V)
    first, second = np.cos(X) * X + np.sin(X), -np.sin(X) * X + 2 * np.cos(X)
    assert_close(backend, pn.grad(total(backend, f))(x), first)
    assert_close(backend, pn.jvp(f, (x,), (v,))[1], first * V)
    assert_close(backend, pn.hvp(total(backend, f), x, v), second * V)


def test_perturbations_are_not_confused(case):
    backend, f, x, y, _ = case
    xp = backend.xp
    # d/dx [x · d/dy f(x, y)] with d/dy f = 3x by the rule: 6x, where confusion gives 3x
    outer = pn.grad(lambda x: xp.sum(x * pn.grad(total(backend, f), 1)(x, y)))
    assert_close(backend, outer(x), 6 * X)
    one = xp.ones_like(x)
    outer = pn.jvp(lambda x: x * pn.jvp(lambda y: f(x, y), (y,), (one,))[1], (x,), (one,))
    assert_close(backend, outer[1], 6 * X)


def test_trees_and_everything_that_is_no_array(backend):
    xp = backend.xp
    seen = []

    @pn.custom_vjp
    def f(ps, n, activation, *, label):
        h = activation(ps["layer"]["w"]) * ps["b"][0] * n
        return {"h": h, "top": xp.argmax(h), "label": label, "none": None}

    def forward(ps, n, activation, *, label):
        return f(ps, n, activation, label=label), (ps, n, "text")

    def backward(residuals, cotangent):
        ps, n, text = residuals
        seen.append((text, cotangent["top"], cotangent["label"]))
        g = cotangent["h"] * n
        return {"layer": {"w": g * ps["b"][0]}, "b": (2 * g, None)}, None, None

    f.defvjp(forward, backward)
    b = backend.asarray(Y)
    ps = {"layer": {"w": backend.asarray(X)}, "b": (b, xp.ones_like(b, dtype=xp.int64))}

    def loss(w, b):
        given = {"layer": {"w": w}, "b": (b, ps["b"][1])}
        out = f(given, 2, xp.sin, label="name")
        assert out["label"] == "name"
        assert out["none"] is None
        return xp.sum(out["h"] * xp.astype(out["top"], b.dtype))

    assert int(backend.to_numpy(f(ps, 2, xp.sin, label="")["top"])) == 0
    x = -ps["layer"]["w"]
    gw, gb = pn.grad(loss, (0, 1))(x, b)
    top = np.argmax(np.sin(-X) * Y)
    assert_close(backend, gw, 2 * Y * top)
    assert_close(backend, gb, np.full(3, 4.0 * top))
    assert seen[-1] == ("text", None, None)
    assert_close(backend, pn.jvp(loss, (x, b), (x, b))[1], np.sum(-2 * X * Y * top + 4 * Y * top))


def test_tangents_of_what_is_no_array_are_none(backend):
    xp = backend.xp
    seen = []

    @pn.custom_jvp
    def power(x, n):
        return x**n, n

    @power.defjvp
    def rule(primals, tangents):
        seen.append(tangents[1])
        x, n = primals
        return (x**n, n), (n * x ** (n - 1) * tangents[0], None)

    x = backend.asarray(X)
    assert_close(backend, pn.grad(lambda x: xp.sum(power(x, 3)[0]))(x), 3 * X * X)
    assert seen[-1] is None


def test_an_output_that_is_not_used_and_an_argument_without_derivative(backend):
    xp = backend.xp

    @pn.custom_vjp
    def f(x, y):
        return x * 2, y * 3

    f.defvjp(lambda x, y: (f(x, y), None), lambda _, g: (g[0] * 5, None))
    x, y = backend.asarray(X), backend.asarray(Y)
    gx, gy = pn.grad(lambda x, y: xp.sum(f(x, y)[0]), (0, 1))(x, y)
    assert_close(backend, gx, np.full(3, 5.0))
    assert_close(backend, gy, np.zeros(3))
    gx = pn.grad(lambda x: xp.sum(f(x, y)[1]))(x)
    assert_close(backend, gx, np.zeros(3))
    tangents = pn.jvp(f, (x, y), (x, y))[1]
    assert_close(backend, tangents[0], 5 * X)
    assert_close(backend, tangents[1], np.zeros(3))


def test_arguments_may_be_returned_and_repeated(backend):
    xp = backend.xp

    @pn.custom_vjp
    def clip_gradient(x, limit):
        return x, x

    clip_gradient.defvjp(
        lambda x, limit: ((x, x), limit),
        lambda limit, g: (xp.clip(g[0] + g[1], -limit, limit), None),
    )
    x = backend.asarray(X)
    gradient = pn.grad(lambda x: xp.sum(clip_gradient(x, 1.0)[0] ** 2))
    assert_close(backend, gradient(x), np.clip(2 * X, -1, 1))
    both = pn.grad(lambda x: xp.sum(xp.sum(xp.stack(clip_gradient(x, 9.0)), axis=0) * x))
    assert_close(backend, both(x), 4 * X)


def test_complex_rules_follow_the_convention(backend):
    xp = backend.xp

    @pn.custom_vjp
    def square(z):
        return z * z

    square.defvjp(lambda z: (z * z, z), lambda z, g: (g * 2 * xp.conj(z),))

    @pn.custom_jvp
    def square_forward(z):
        return z * z

    square_forward.defjvp(lambda p, t: (p[0] * p[0], 2 * p[0] * t[0]))
    z = backend.asarray(X + 1j * Y)
    v = backend.asarray(V * (1 - 2j))
    for f in (square, square_forward):
        loss = lambda z, f=f: xp.sum(xp.real(f(z) * xp.conj(f(z))))  # noqa: E731
        gradient = backend.to_numpy(pn.grad(loss)(z))
        expected = 4 * np.abs(X + 1j * Y) ** 2 * (X + 1j * Y)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)
        tangent = backend.to_numpy(pn.jvp(f, (z,), (v,))[1])
        np.testing.assert_allclose(tangent, 2 * (X + 1j * Y) * V * (1 - 2j), rtol=1e-12)


def test_float32_stays_float32(backend):
    f = wave(backend.xp, "vjp")
    x, y = (backend.asarray(a.astype(np.float32)) for a in (X, Y))
    gradient = pn.grad(total(backend, f), 1)
    assert gradient(x, y).dtype == x.dtype
    assert pn.jvp(lambda x: gradient(x, y), (x,), (x,))[1].dtype == x.dtype
    assert pn.jvp(f, (x, y), (x, y))[1].dtype == x.dtype


def test_jacobian_and_hessian(case):
    backend, f, x, y, _ = case
    assert_close(backend, pn.jacobian(f, 1)(x, y), np.diag(3 * X))
    mixed = pn.jacobian(pn.grad(total(backend, f)), 1)(x, y)
    assert_close(backend, mixed, np.diag(np.cos(Y)))


def test_a_function_returns_what_it_is_given_where_there_are_no_arrays(backend):
    f = wave(backend.xp, "vjp")
    g = pn.custom_jvp(lambda n, *, k=2: n * k)
    g.defjvp(lambda p, t, *, k: (p, t))
    assert g(3) == 6
    assert g(n=3, k=5) == 15
    assert repr(f) == "custom_vjp(f)"
    assert f.__name__ == "f"


CAPTURING = {
    "vjp body": lambda xp, w: _with_vjp(
        lambda x: x * w, lambda x: (x * 2, None), lambda _, g: (g,)
    ),
    "vjp forward": lambda xp, w: _with_vjp(
        lambda x: x * 2, lambda x: (x * w, None), lambda _, g: (g,)
    ),
    "jvp body": lambda xp, w: _with_jvp(lambda x: x * w, lambda p, t: (p[0], t[0])),
}


def _with_vjp(body, forward, backward):
    f = pn.custom_vjp(body)
    f.defvjp(forward, backward)
    return f


def _with_jvp(body, rule):
    f = pn.custom_jvp(body)
    f.defjvp(rule)
    return f


@pytest.mark.parametrize("name", CAPTURING)
def test_a_captured_array_is_refused_instead_of_losing_its_derivative(backend, name):
    xp = backend.xp
    x, w = backend.asarray(X), backend.asarray(Y)

    def f(x, w):
        return xp.sum(CAPTURING[name](xp, w)(x))

    message = "is not among its positional arguments, so that its derivative is lost"
    if name != "vjp body":
        with pytest.raises(TracedValueError, match=message):
            pn.grad(f, (0, 1))(x, w)
        with pytest.raises(TracedValueError, match=message):
            pn.jvp(f, (x, w), (x, w))
    if name != "vjp forward":
        with pytest.raises(TracedValueError, match=message):
            pn.grad(f, 1)(x, w)


CAPTURED_BY_RULES = {
    "vjp backward": lambda w: _with_vjp(
        lambda x: x * 2, lambda x: (x * 2, None), lambda _, g: (g * w,)
    ),
    "vjp kept": lambda w: _with_vjp(
        lambda x: x * 2, lambda x: (x * 2, w), lambda kept, g: (g * kept,)
    ),
    "jvp rule": lambda w: _with_jvp(lambda x: x * 2, lambda p, t: (p[0] * 2, t[0] * w)),
}
ORDERS = {
    "reverse over reverse": lambda xp, f, x, w: pn.grad(
        lambda w: xp.sum(pn.grad(lambda x: f(x, w))(x))
    )(w),
    "reverse over forward": lambda xp, f, x, w: pn.grad(
        lambda w: pn.jvp(lambda x: f(x, w), (x,), (xp.ones_like(x),))[1]
    )(w),
    "forward over reverse": lambda xp, f, x, w: pn.jvp(
        lambda w: pn.grad(lambda x: f(x, w))(x), (w,), (xp.ones_like(w),)
    )[1],
    "forward over forward": lambda xp, f, x, w: pn.jvp(
        lambda w: pn.jvp(lambda x: f(x, w), (x,), (xp.ones_like(x),))[1], (w,), (xp.ones_like(w),)
    )[1],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", CAPTURED_BY_RULES)
def test_a_derivative_by_an_array_that_a_rule_captures_is_right_or_refused(backend, name, order):
    xp = backend.xp
    x, w = backend.asarray(X), backend.asarray(Y)

    def f(x, w):
        return xp.sum(CAPTURED_BY_RULES[name](w)(x) * x)

    assert_close(backend, pn.grad(lambda x: f(x, w))(x), 2 * X + X * Y)
    try:
        found = ORDERS[order](xp, f, x, w)
    except TracedValueError:
        return
    assert_close(backend, found, X if found.ndim else np.sum(X))


def test_what_a_rule_keeps_or_returns_is_not_made_part_of_a_graph():
    torch = pytest.importorskip("torch")
    w = torch.ones(2)
    f = _with_vjp(lambda x: w, lambda x: (w, w), lambda kept, g: (g * kept,))
    pn.grad(lambda x: torch.sum(f(x) * x))(torch.ones(2))
    assert not w.requires_grad


def test_a_function_without_a_rule_says_so(backend):
    x = backend.asarray(X)
    with pytest.raises(NoDerivativeError, match=r"custom_vjp\(<lambda>\) has no rule yet"):
        pn.custom_vjp(lambda x: x)(x)
    with pytest.raises(NoDerivativeError, match=r"give it one with defjvp\(rule\)"):
        pn.custom_jvp(lambda x: x)(x)


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentError, match="custom_vjp takes a function, not int"):
        pn.custom_vjp(3)  # pyright: ignore
    f = pn.custom_vjp(lambda x: x)
    with pytest.raises(ArgumentError, match="backward is a function, not NoneType"):
        f.defvjp(lambda x: (x, None), None)  # pyright: ignore
    with pytest.raises(ArgumentError, match="the rule is a function, not str"):
        pn.custom_jvp(lambda x: x).defjvp("x")  # pyright: ignore


WRONG_BACKWARD = {
    "no tuple": (lambda xp, g: g["y"], ArgumentError, "one cotangent an argument"),
    "count": (lambda xp, g: (None, None), ArgumentError, "one cotangent an argument: 2 != 1"),
    "structure": (lambda xp, g: ({"a": g["y"]},), ParameterTreeError, r"missing \['0.b.0'\]"),
    "shape": (
        lambda xp, g: ({"a": None, "b": [xp.sum(g["y"])]},),
        ShapeError,
        r"f: cotangent.0.b.0: shape \(\) != \(3,\)",
    ),
    "dtype": (
        lambda xp, g: ({"a": xp.astype(g["y"], xp.float32), "b": [None]},),
        DTypeError,
        r"f: cotangent.0.a: dtype .*float32 != .*float64",
    ),
}


@pytest.mark.parametrize("name", WRONG_BACKWARD)
def test_a_wrong_cotangent_is_named(backend, name):
    xp = backend.xp
    backward, error, message = WRONG_BACKWARD[name]

    @pn.custom_vjp
    def f(p):
        return {"y": p["a"] * p["b"][0]}

    f.defvjp(lambda p: (f(p), None), lambda _, g: backward(xp, g))
    p = {"a": backend.asarray(X), "b": [backend.asarray(Y)]}
    with pytest.raises(error, match=message):
        pn.grad(lambda p: xp.sum(f(p)["y"]))(p)


WRONG_RULE = {
    "no pair": (lambda xp, y, t: y, ArgumentError, r"returns \(value, tangent\), not dict"),
    "value": (lambda xp, y, t: (t, y), ParameterTreeError, "value of the rule"),
    "structure": (lambda xp, y, t: (y, {"z": t}), ParameterTreeError, "f: tangent: .*missing"),
    "shape": (
        lambda xp, y, t: (y, {"y": t[:1]}),
        ShapeError,
        r"f: tangent.y: shape \(1,\) != \(3,\)",
    ),
    "dtype": (
        lambda xp, y, t: (y, {"y": xp.astype(t, xp.float32)}),
        DTypeError,
        "f: tangent.y: dtype .*float32 != .*float64",
    ),
}


@pytest.mark.parametrize("name", WRONG_RULE)
def test_a_wrong_tangent_is_named(backend, name):
    xp = backend.xp
    wrong, error, message = WRONG_RULE[name]

    @pn.custom_jvp
    def f(x):
        return {"y": x * 2}

    f.defjvp(lambda p, t: wrong(xp, {"y": p[0] * 2}, t[0]))
    x = backend.asarray(X)
    with pytest.raises(error, match=message):
        pn.jvp(f, (x,), (x,))


def test_forward_must_return_a_pair(backend):
    f = _with_vjp(lambda x: x, lambda x: x, lambda r, g: (g,))
    with pytest.raises(ArgumentError, match=r"forward returns \(value, residuals\)"):
        pn.grad(lambda x: backend.xp.sum(f(x)))(backend.asarray(X))


def test_a_param_is_an_argument_like_any_other(backend):
    f = wave(backend.xp, "vjp")
    w = pn.Param(backend.asarray(X))
    y = backend.asarray(Y)
    gradients = pn.gradient(lambda: backend.xp.sum(f(w, y)), pn.params(w))
    assert_close(backend, gradients[w], np.sin(Y))


def test_threads(case):
    backend, f, _, y, v = case
    gradient = pn.grad(total(backend, f))

    def work(seed):
        x = backend.asarray(X + seed)
        for _ in range(10):
            second = pn.grad(lambda y: backend.xp.sum(gradient(x, y) * v))(y)
            first = pn.grad(total(backend, f), 1)(x, y)
        return backend.to_numpy(first), backend.to_numpy(second)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for seed, (first, second) in enumerate(pool.map(work, range(8))):
            np.testing.assert_allclose(first, 3 * (X + seed), rtol=1e-12)
            np.testing.assert_allclose(second, np.cos(Y) * V, rtol=1e-12)


def test_a_pullback_may_be_called_from_several_threads(case):
    backend, f, x, y, _ = case
    pullback = pn.vjp(f, x, y)[1]

    def work(scale):
        return backend.to_numpy(pullback(backend.asarray(V * scale))[1])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for scale, found in zip(range(1, 20), pool.map(work, range(1, 20)), strict=True):
            np.testing.assert_allclose(found, 3 * X * V * scale, rtol=1e-12)


def test_batches(case):
    backend, f, x, y, _ = case
    xp = backend.xp
    xs = backend.asarray(np.stack([X, Y, V]))
    rows = np.stack([X, Y, V])
    loss = total(backend, f)
    assert_close(backend, pn.vmap(f, (0, None))(xs, y), rows * np.sin(Y))
    by_x = pn.vmap(pn.grad(loss), (None, 0))(x, xs)
    assert_close(backend, by_x, np.sin(rows))
    by_shared = pn.vmap(pn.grad(loss, 1), (0, None))(xs, y)
    assert_close(backend, by_shared, 3 * rows)
    outer = pn.grad(lambda y: xp.sum(pn.vmap(f, (0, None))(xs, y)))
    assert_close(backend, outer(y), 3 * rows.sum(0))
    second = pn.grad(lambda y: xp.sum(pn.vmap(pn.grad(loss), (0, None))(xs, y)))
    assert_close(backend, second(y), 3 * np.cos(Y))
    push = pn.jvp(lambda y: pn.vmap(f, (0, None))(xs, y), (y,), (y,))[1]
    assert_close(backend, push, 3 * rows * Y)
