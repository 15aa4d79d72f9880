"""`vjp`, `jvp` and their direct forms: any tree in, any tree out."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

A = np.asarray([0.3, -0.7, 1.2])
U = np.asarray([1.5, -2.0, 0.5])
M = np.asarray([[0.9, 0.4, -1.6], [1.1, 0.6, -0.8]])


def close(backend, actual, expected):
    assert pn.backends.backend_of(actual) is backend.adapter
    host = backend.to_numpy(actual)
    assert (host.shape, host.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(host, expected, rtol=1e-12, atol=1e-14)


def mixed(xp, x, m):
    """Several outputs of several kinds; only the floating ones depend on the inputs."""
    return {
        "product": m @ xp.sin(x),
        "parts": [x * x, (xp.argmax(x), None, "text")],
        "constant": 2.5,
        "count": 7,
    }


J_X, J_M = M * np.cos(A), np.sin(A)


def test_vjp_of_any_tree(backend):
    x, m = backend.asarray(A), backend.asarray(M)
    value, pullback = pn.vjp(lambda x, m: mixed(backend.xp, x, m), x, m)
    close(backend, value["product"], M @ np.sin(A))
    close(backend, value["parts"][0], A * A)
    assert int(backend.to_numpy(value["parts"][1][0])) == 2
    assert value["parts"][1][1:] == (None, "text")
    assert (value["constant"], value["count"]) == (2.5, 7)
    u = np.asarray([2.0, -3.0])
    seed = {
        "product": backend.asarray(u),
        "parts": [backend.asarray(U), (value["parts"][1][0], None, "ignored")],
        "constant": 1e9,
        "count": 1e9,
    }
    for _ in range(2):  # it may be called again
        by_x, by_m = pullback(seed)
        close(backend, by_x, u @ J_X + 2 * A * U)
        close(backend, by_m, np.outer(u, J_M))


def test_jvp_of_any_tree(backend):
    x, m, v = backend.asarray(A), backend.asarray(M), backend.asarray(U)
    zero = backend.asarray(np.zeros_like(M))
    value, tangent = pn.jvp(lambda x, m: mixed(backend.xp, x, m), (x, m), (v, zero))
    close(backend, value["product"], M @ np.sin(A))
    close(backend, tangent["product"], J_X @ U)
    close(backend, tangent["parts"][0], 2 * A * U)
    assert int(backend.to_numpy(tangent["parts"][1][0])) == 0
    assert tangent["parts"][1][1:] == (None, "text")
    assert (tangent["constant"], tangent["count"]) == (0.0, 0)
    _, tangent = pn.jvp(lambda x, m: mixed(backend.xp, x, m), (x, m), (0 * v, m))
    close(backend, tangent["product"], M @ J_M)


def test_trees_as_primals(backend):
    x, v = backend.asarray(A), backend.asarray(U)
    tree, direction = {"a": [x], "b": (x, None)}, {"a": [v], "b": (2 * v, None)}

    def function(t):
        return t["a"][0] * t["b"][0]

    _, tangent = pn.jvp(function, (tree,), (direction,))
    close(backend, tangent, 3 * A * U)
    _, pullback = pn.vjp(function, tree)
    (found,) = pullback(v)
    close(backend, found["a"][0], A * U)
    close(backend, found["b"][0], A * U)
    assert found["b"][1] is None


def test_direct_forms(backend):
    xp, x = backend.xp, backend.asarray(A)
    m = backend.asarray(M)

    def function(x):
        return m @ xp.exp(x)

    jacobian = M * np.exp(A)
    close(backend, pn.jacobian_vector_product(function, x, backend.asarray(U)), jacobian @ U)
    u = np.asarray([0.5, -1.5])
    close(backend, pn.vector_jacobian_product(function, x, backend.asarray(u)), u @ jacobian)


def test_both_modes_agree_with_torch(backend):
    torch = pytest.importorskip("torch")

    def program(xp, x, m):
        h = xp.tanh(m @ x)
        return h * xp.sum(x * x) / (1 + xp.exp(-h))

    t, tm = torch.tensor(A), torch.tensor(M)
    expected = torch.func.jacrev(lambda x, m: program(torch, x, m), (0, 1))(t, tm)
    u, x, m = np.asarray([0.7, -1.3]), backend.asarray(A), backend.asarray(M)
    _, pullback = pn.vjp(lambda x, m: program(backend.xp, x, m), x, m)
    by_x, by_m = pullback(backend.asarray(u))
    close(backend, by_x, u @ expected[0].numpy())
    close(backend, by_m, np.tensordot(u, expected[1].numpy(), 1))
    _, tangent = pn.jvp(
        lambda x, m: program(backend.xp, x, m), (x, m), (backend.asarray(U), backend.asarray(M))
    )
    along = expected[0].numpy() @ U + np.tensordot(expected[1].numpy(), M, 2)
    close(backend, tangent, along)


def test_outputs_that_do_not_depend_on_the_inputs(backend):
    x, v = backend.asarray(A), backend.asarray(U)
    fixed = backend.asarray(M)
    value, pullback = pn.vjp(lambda x: (fixed, x), x)
    close(backend, value[0], M)
    close(backend, pullback((fixed, 0 * v))[0], np.zeros(3))
    _, tangent = pn.jvp(lambda x: (fixed, x), (x,), (v,))
    close(backend, tangent[0], np.zeros(M.shape))
    close(backend, tangent[1], U)


def test_no_floating_output_at_all(backend):
    x, v = backend.asarray(A), backend.asarray(U)
    value, pullback = pn.vjp(lambda x: backend.xp.argmax(x), x)
    assert int(backend.to_numpy(value)) == 2
    close(backend, pullback(value)[0], np.zeros(3))
    value, tangent = pn.jvp(lambda x: {}, (x,), (v,))
    assert value == tangent == {}


def test_arrays_of_another_library_go_around_the_engine(backend):
    pytest.importorskip("array_api_strict")
    host = np.ones(2, np.float32)
    other = pn.backends.get_backend("array_api_strict" if backend.name == "numpy" else "numpy")
    foreign = other.from_numpy(host)
    x, v = backend.asarray(A), backend.asarray(U)
    value, pullback = pn.vjp(lambda x: (foreign, x * x), x)
    assert value[0] is foreign
    close(backend, pullback((foreign, v))[0], 2 * A * U)
    value, tangent = pn.jvp(lambda x: (foreign, x * x), (x,), (v,))
    assert value[0] is foreign
    assert type(tangent[0]) is type(foreign)
    assert other.to_numpy(tangent[0]).tolist() == [0.0, 0.0]
    close(backend, tangent[1], 2 * A * U)


def test_types_of_a_library_are_no_arrays(backend):
    """A dtype has a shape, but no derivative: it passes through like any other object."""
    x = backend.asarray(A)
    value, pullback = pn.vjp(lambda x: (x, np.dtype("float32"), x.dtype), x)
    assert value[1:] == (np.dtype("float32"), x.dtype)
    close(backend, pullback((x, *value[1:]))[0], A)
    for thing in (np.dtype("f4"), np.broadcast(A), A.flat, np.float64, np.nditer(A)):
        assert not pn.backends.is_array(thing)
    assert pn.backends.is_array(np.float32(1))


def test_a_number_serves_as_the_direction_of_a_number(backend):
    t = backend.asarray(np.asarray(2.0))
    _, tangent = pn.jvp(lambda t: t**3, (t,), (1.0,))
    assert float(backend.to_numpy(tangent)) == 12.0
    _, pullback = pn.vjp(lambda t: t**3, t)
    assert float(backend.to_numpy(pullback(2)[0])) == 24.0


def test_directions_of_python_numbers():
    value, tangent = pn.jvp(lambda a, b: a * b, (2.0, 3.0), (1.0, 10.0))
    assert (float(value), float(tangent)) == (6.0, 23.0)
