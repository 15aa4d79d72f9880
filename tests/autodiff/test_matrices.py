"""`jacobian`, `hessian`, `hvp` and `derivative` against torch.func and analytic matrices."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

A = np.asarray([0.3, -0.7, 1.2])
M = np.asarray([[0.9, 0.4, -1.6], [1.1, 0.6, -0.8]])


def close(backend, actual, expected, rtol=1e-12):
    assert pn.backends.backend_of(actual) is backend.adapter
    host = backend.to_numpy(actual)
    assert (host.shape, host.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(host, expected, rtol=rtol, atol=1e-13)


def wide(xp, x):
    """More outputs than inputs."""
    return xp.stack([xp.sin(x), x * xp.sum(x * x), xp.exp(x)])


def narrow(xp, x):
    """Fewer outputs than inputs."""
    return xp.stack([xp.sum(x**3), xp.prod(x)])


def scalar(xp, x):
    return xp.sum(xp.sin(x) * x**2) + xp.prod(x)


def torch_hessian(torch):
    gradient = torch.func.grad(lambda x: scalar(torch, x))
    return torch.func.jacrev(gradient)(torch.tensor(A)).numpy()


@pytest.mark.parametrize("program", [wide, narrow, scalar])
def test_jacobian(backend, program):
    torch = pytest.importorskip("torch")
    expected = torch.func.jacrev(lambda x: program(torch, x))(torch.tensor(A)).numpy()
    actual = pn.jacobian(lambda x: program(backend.xp, x))(backend.asarray(A))
    close(backend, actual, expected)


def test_jacobian_shapes(backend):
    """The entry of an output of shape s and an input of shape t has the shape s + t."""
    xp, m = backend.xp, backend.asarray(M)
    found = pn.jacobian(lambda m: xp.matrix_transpose(m) * 2)(m)
    expected = 2 * np.einsum("ik,jl->ijlk", np.eye(3), np.eye(2))
    close(backend, found, expected)
    assert pn.jacobian(lambda m: m[:0, :])(m).shape == (0, 3, 2, 3)
    assert pn.jacobian(lambda x: xp.sum(x) * m)(backend.asarray(np.zeros(0))).shape == (2, 3, 0)


def test_jacobian_of_trees(backend):
    xp = backend.xp
    tree = {"x": backend.asarray(A), "s": backend.asarray(np.asarray(2.0))}
    found = pn.jacobian(lambda t: (t["x"] * t["s"], {"q": xp.sum(t["x"] ** 2)}))(tree)
    close(backend, found[0]["x"], 2 * np.eye(3))
    close(backend, found[0]["s"], A)
    close(backend, found[1]["q"]["x"], 2 * A)
    close(backend, found[1]["q"]["s"], np.asarray(0.0))


@pytest.mark.parametrize("argnum", [1, -1])
def test_jacobian_of_another_argument(backend, argnum):
    x, m = backend.asarray(A), backend.asarray(M)
    found = pn.jacobian(lambda m, x: m @ x, argnum)(m, x)
    close(backend, found, M)


def test_complex_jacobian(backend):
    """A holomorphic function has its complex derivative."""
    z = A * (1 + 2j)
    found = pn.jacobian(lambda z: z**3)(backend.asarray(z))
    close(backend, found, np.diag(3 * z**2))
    real_in = pn.jacobian(lambda x: x * (1 + 2j))(backend.asarray(A))
    close(backend, real_in, (1 + 2j) * np.eye(3))


def test_hessian(backend):
    torch = pytest.importorskip("torch")
    expected = torch_hessian(torch)
    found = pn.hessian(lambda x: scalar(backend.xp, x))(backend.asarray(A))
    close(backend, found, expected)
    np.testing.assert_allclose(backend.to_numpy(found), backend.to_numpy(found).T, rtol=1e-12)


def test_hessian_of_a_tree(backend):
    xp, tree = backend.xp, {"a": backend.asarray(A), "b": backend.asarray(A**2)}
    found = pn.hessian(lambda t: xp.sum(t["a"] ** 2 * t["b"]))(tree)
    close(backend, found["a"]["a"], np.diag(2 * A**2))
    close(backend, found["a"]["b"], np.diag(2 * A))
    close(backend, found["b"]["a"], np.diag(2 * A))
    close(backend, found["b"]["b"], np.zeros((3, 3)))


def test_hvp(backend):
    torch = pytest.importorskip("torch")
    v = np.asarray([1.0, -2.0, 0.5])
    expected = torch_hessian(torch) @ v
    found = pn.hvp(lambda x: scalar(backend.xp, x), backend.asarray(A), backend.asarray(v))
    close(backend, found, expected)


def test_hvp_of_a_tree(backend):
    xp, a, v = backend.xp, backend.asarray(A), backend.asarray(A + 1)
    found = pn.hvp(lambda t: xp.sum(t[0] ** 2 * t[1]), (a, a), (v, v))
    close(backend, found[0], 2 * A * (A + 1) * 2)
    close(backend, found[1], 2 * A * (A + 1))


def test_derivative_of_any_order(backend):
    xp, t = backend.xp, backend.asarray(np.asarray(0.7))

    def function(t):
        return xp.sin(2 * t)

    sin, cos = np.sin(1.4), np.cos(1.4)
    for expected in (2 * cos, -4 * sin, -8 * cos, 16 * sin):
        function = pn.derivative(function)
        close(backend, function(t), np.asarray(expected))


def test_derivative_of_a_tree(backend):
    t = backend.asarray(np.asarray(2.0))
    found = pn.derivative(lambda t: {"square": t * t, "vector": t * backend.asarray(A), "c": 3.0})(
        t
    )
    close(backend, found["square"], np.asarray(4.0))
    close(backend, found["vector"], A)
    assert found["c"] == 0.0


def test_derivative_of_a_python_number():
    assert float(pn.derivative(lambda t: 3 * t**2 + 2 * t + 1)(1.0)) == 8.0
    assert float(pn.derivative(lambda t: 3.0)(1.0)) == 0.0
