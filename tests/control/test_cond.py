"""`cond` on every library: the branch that is taken, its derivatives, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.same import check_same

import portanet as pn
from portanet.errors import (
    ArgumentError,
    DTypeError,
    ParameterTreeError,
    ShapeError,
)

W = np.asarray([[1.0, 2.0], [0.5, -1.0]])
POSITIVE = np.asarray([0.5, 1.5])


def loss(w, x):
    xp = pn.array_namespace(x)
    return pn.cond(
        xp.sum(x) > 0.0,
        lambda x: xp.sum(xp.sqrt(xp.sum(x) * x * x) @ w),
        lambda x: xp.sum(x * x) * w[0, 0],
        x,
    )


def expected(x):
    """The value and the gradients by hand."""
    total = x.sum()
    if total <= 0:
        return x @ x * W[0, 0], np.asarray([[x @ x, 0.0], [0.0, 0.0]]), 2 * x * W[0, 0]
    root, rows = np.sqrt(total), W.sum(axis=1)
    value = root * (x @ rows)
    return value, root * np.stack([x, x], axis=1), root * rows + x @ rows / (2 * root)


@pytest.mark.parametrize("jit", [False, True])
def test_the_branch_and_its_gradient(backend, jit):
    if jit and backend.name == "torch":
        pytest.skip("torch: compiled below")
    function = pn.value_and_grad(loss, (0, 1))
    function = pn.jit(function) if jit else function
    for x in (POSITIVE, -POSITIVE, 2.0 * POSITIVE):
        value, (of_w, of_x) = function(backend.asarray(W), backend.asarray(x))
        for found, wanted in zip((value, of_w, of_x), expected(x), strict=True):
            np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-12)
    if jit:
        assert function.cache_info()[:3] == (2, 1, 1)


def test_python_booleans_and_captured_weights(backend):
    x = backend.asarray(POSITIVE)
    assert pn.cond(True, lambda: "yes", lambda: "no") == "yes"
    y = pn.cond(False, lambda x: x, lambda x: 2.0 * x, x)
    np.testing.assert_array_equal(backend.to_numpy(y), 2.0 * POSITIVE)


def test_trees_flags_and_forward_mode():
    def function(x, flag):
        return pn.cond(np.sum(x) > 0, lambda x: {"a": x**2, "b": x}, lambda x: {"a": x, "b": x}, x)

    _, tangent = pn.jvp(lambda x: function(x, True), (POSITIVE,), (POSITIVE,))
    np.testing.assert_allclose(tangent["a"], 2 * POSITIVE**2)
    check_same(pn.jit(function)(POSITIVE, True), function(POSITIVE, True))


def test_the_other_branch_is_not_run_by_a_replay():
    """It would warn of the root of a negative number, and its derivative be NaN."""
    jitted = pn.jit(pn.grad(lambda x: pn.cond(
        np.sum(x) > 0, lambda x: np.sum(np.sqrt(x)), lambda x: np.sum(x * 3.0), x
    )))  # fmt: skip
    np.testing.assert_allclose(jitted(-POSITIVE), [3.0, 3.0])
    np.testing.assert_allclose(jitted(POSITIVE), 0.5 / np.sqrt(POSITIVE))
    np.testing.assert_allclose(jitted(-POSITIVE), [3.0, 3.0])


def test_branches_with_their_own_weights():
    def function(v, w, x):
        return np.sum(pn.cond(np.sum(x) > 0, lambda x: x * v, lambda x: x * x * w, x))

    gradient = pn.grad(function, (0, 1, 2))
    jitted = pn.jit(gradient)
    for x in (POSITIVE, -POSITIVE, POSITIVE):
        check_same(jitted(POSITIVE, W[0], x), gradient(POSITIVE, W[0], x))


def test_a_branch_inside_a_branch():
    def function(x):
        def inner(x):
            return pn.cond(np.max(x) > 1.0, np.sin, np.cos, x)

        return np.sum(pn.cond(np.sum(x) > 0, inner, lambda x: x * x, x))

    gradient = pn.value_and_grad(function)
    jitted = pn.jit(gradient)
    for x in (POSITIVE, -POSITIVE, POSITIVE / 2):
        check_same(jitted(x), gradient(x))


DIFFERENT = {
    "shape": (lambda x: x[:1], ShapeError, r"cond: result: shape \(1,\) != \(2,\)"),
    "structure": (lambda x: (x, x), ParameterTreeError, "cond: result: "),
    "dtype": (
        lambda x: pn.array_namespace(x).astype(x, np.float32), DTypeError,
        "cond: result: dtype float32 != float64",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("other", "kind", "text"), DIFFERENT.values(), ids=DIFFERENT)
def test_branches_that_do_not_fit(other, kind, text):
    with pytest.raises(kind, match=text):
        pn.jit(lambda x: pn.cond(np.sum(x) > 0, lambda x: x, other, x))(POSITIVE)


PREDICATES = {
    "number": (1, ArgumentError, "predicate is a boolean or an array of one: got int"),
    "array": (POSITIVE > 0, ShapeError, r"predicate\.shape == \(\): \(2,\) != \(\): choose entry"),
    "floating": (np.asarray(1.0), DTypeError, "predicate is boolean, not float64: compare it"),
}


@pytest.mark.parametrize(("predicate", "kind", "text"), PREDICATES.values(), ids=PREDICATES)
def test_predicates_that_do_not_fit(predicate, kind, text):
    with pytest.raises(kind, match=text):
        pn.cond(predicate, lambda: POSITIVE, lambda: POSITIVE)


def test_functions_that_are_none():
    with pytest.raises(ArgumentError, match="cond: false_function is a function: got ndarray"):
        pn.cond(True, lambda: POSITIVE, POSITIVE)


MODES = {
    "forward": lambda w, x: pn.jvp(loss, (w, x), (w, x)),
    "forward of reverse": lambda w, x: pn.hvp(lambda x: loss(w, x), x, x),
    "second": lambda w, x: pn.hessian(lambda x: loss(w, x))(x),
    "reverse of reverse": lambda w, x: pn.grad(lambda x: sum_of(pn.grad(loss, 1)(w, x) ** 2))(x),
    "batch of weights": lambda w, x: pn.vmap(lambda w: loss(w, x))(stacked(w, 2.0 * w)),
    "batch": lambda w, x: pn.vmap(lambda x: loss(w, x))(stacked(x, -x, 0.5 * x)),
    "batch of gradients": lambda w, x: pn.vmap(pn.grad(loss, (0, 1)), (None, 0))(w, stacked(x, -x)),
    "gradient of a batch": lambda w, x: pn.grad(
        lambda x: sum_of(pn.vmap(lambda x: loss(w, x))(stacked(x, -x)))
    )(x),
}


def stacked(*arrays):
    return pn.array_namespace(*arrays).stack(arrays)


def sum_of(x):
    return pn.array_namespace(x).sum(x)


@pytest.mark.parametrize("x", [POSITIVE, -POSITIVE], ids=["true", "false"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["numpy", "array_api_strict"])
def test_recorded_branches_have_all_derivatives_and_batches(name, mode, x):
    adapter = pn.backends.get_backend(name)
    function = MODES[mode]
    w, x, other = (adapter.from_numpy(a) for a in (W, x, -2.0 * x))
    jitted = pn.jit(function)
    for given in (x, other, x):
        check_same(jitted(w, given), function(w, given), rtol=1e-11, atol=1e-11)
    assert jitted.cache_info()[:3] == (2, 1, 1)


def test_a_hessian_by_differences():
    def value(x):
        return loss(W, x)

    for x in (POSITIVE, -POSITIVE):
        found = pn.jit(pn.hessian(value))(x)
        steps = 1e-5 * np.eye(2)
        gradient = pn.grad(value)
        wanted = [(gradient(x + e) - gradient(x - e)) / 2e-5 for e in steps]
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-7)


def of_one(x):
    """What either branch does to the entries of the other is NaN, or infinite."""
    xp = pn.array_namespace(x)
    return pn.cond(x > 0.0, lambda x: xp.sqrt(x), lambda x: xp.log1p(-x) / x, x)


@pytest.mark.parametrize("backend", ["numpy", "jax"], indirect=True)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    "xs", [[0.25, -0.5, 4.0], [1.0, 2.0], [-1.0, -2.0]], ids=["both", "true", "false"]
)
def test_what_an_entry_of_a_batch_does_not_choose_reaches_nothing(backend, xs, jit):
    xs = np.asarray(xs)
    batch = pn.vmap(of_one)
    functions = batch, pn.vmap(pn.grad(of_one)), pn.grad(lambda xs: backend.xp.sum(batch(xs)))
    scalars = of_one, pn.grad(of_one), pn.grad(of_one)
    for function, scalar in zip(functions, scalars, strict=True):
        found = (pn.jit(function) if jit else function)(backend.asarray(xs))
        np.testing.assert_allclose(
            backend.to_numpy(found), [scalar(x) for x in xs], rtol=1e-12, atol=1e-15
        )


def test_a_branch_of_a_batch_that_uses_arrays_from_around_it():
    ws = np.asarray([[0.5, -1.0], [2.0, 1.0], [-3.0, 0.5]])

    def function(w, x):
        return pn.cond(w[0] > 0.0, lambda: np.sum(np.log(w[0] * x)), lambda: np.sum(w * x))

    found = pn.vmap(pn.grad(function), (0, None))(ws, POSITIVE)
    wanted = [pn.grad(function)(w, POSITIVE) for w in ws]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_random_keys_in_a_branch():
    def function(x, key):
        one, other = key.split()
        return pn.cond(
            np.sum(x) > 0.0,
            lambda x, one: x * pn.random.normal(one, (2,), like=x),
            lambda x, one: x + pn.random.uniform(other, (2,), like=x),
            x,
            one,
        )

    jitted = pn.jit(function)
    for seed, x in enumerate((POSITIVE, -POSITIVE, POSITIVE)):
        key = pn.random.key(seed)
        np.testing.assert_array_equal(jitted(x, key), function(x, key))


@pytest.mark.parametrize("mode", [*MODES, "gradient"])
def test_branches_inside_the_compiler_of_torch_have_all_derivatives_and_batches(mode):
    """What torch has written down is run here, since compiling it takes long."""
    torch = pytest.importorskip("torch")
    from portanet.backends.torch.compile import recorded

    function = MODES.get(mode, pn.value_and_grad(loss, (0, 1)))
    w, x = torch.tensor(W), torch.tensor(POSITIVE)
    graph = recorded(lambda *arrays: pn.trees.leaves(function(*arrays)), [w, x])
    for given in (x, -x, 2.0 * x):
        expected = pn.trees.leaves(function(w, given))
        check_same(list(graph(w, given)), expected, rtol=1e-11, atol=1e-11)


def test_the_compiler_of_torch_takes_a_branch():
    torch = pytest.importorskip("torch")
    gradient = pn.value_and_grad(loss, (0, 1))
    jitted = pn.jit(gradient)
    for x in (POSITIVE, -POSITIVE):
        arguments = torch.tensor(W), torch.tensor(x)
        check_same(jitted(*arguments), gradient(*arguments), rtol=1e-11)
