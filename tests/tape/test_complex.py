"""Complex gradients: one convention on every backend, that of torch, under which they descend."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

Z = np.asarray([0.4 + 1.1j, -0.7 + 0.2j, 1.3 - 0.6j])
W = np.asarray([1.0 - 0.5j, 0.3 + 2.0j, -1.2 + 0.1j])
M = np.asarray([[1 + 1j, 0.5j, -1.0], [0.2, 1 - 2j, 0.7 + 0.1j]])

# Real functions of a complex vector, in words that the standard and torch share.
CASES = {
    "squared modulus": lambda xp, z: xp.sum(xp.abs(z) ** 2),
    "modulus": lambda xp, z: xp.sum(xp.abs(z)),
    "real part": lambda xp, z: xp.sum(xp.real(z * z)),
    "imaginary part": lambda xp, z: xp.sum(xp.imag(z * z * z)),
    "conjugate": lambda xp, z: xp.sum(xp.real(xp.conj(z) * z * z)),
    "holomorphic": lambda xp, z: xp.sum(xp.abs(xp.sin(z) * xp.exp(z) + z * z) ** 2),
    "logarithm": lambda xp, z: xp.sum(xp.real(xp.log(z)) * xp.imag(xp.sqrt(z))),
    "quotient": lambda xp, z: xp.sum(xp.abs(z / (z * z + 2.0)) ** 2),
    "power": lambda xp, z: xp.sum(xp.real(z**3) + xp.imag(z**0.5)),
    "number times": lambda xp, z: xp.sum(xp.imag((2.0 + 1.0j) * z * z)),
    "product of all": lambda xp, z: xp.abs(xp.prod(z)) ** 2,
    "mean": lambda xp, z: xp.abs(xp.mean(z)) ** 2,
    "tanh": lambda xp, z: xp.sum(xp.real(xp.tanh(z))),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def close(backend, actual, expected):
    host = backend.to_numpy(actual)
    assert host.dtype == expected.dtype
    np.testing.assert_allclose(host, expected, rtol=1e-11, atol=1e-13)


def differences(case, z, step=1e-6):
    """The gradient du/dx + i du/dy of a function of NumPy arrays, by central differences."""
    xp = pn.array_namespace(z)

    def along(direction):
        return (case(xp, z + step * direction) - case(xp, z - step * direction)) / (2 * step)

    basis = np.eye(len(z))
    return np.asarray([along(e) + 1j * along(1j * e) for e in basis])


def test_gradient_is_that_of_torch(backend, case):
    torch = pytest.importorskip("torch")
    z = torch.tensor(Z, requires_grad=True)
    (expected,) = torch.autograd.grad(case(torch, z), z)
    close(backend, pn.grad(lambda z: case(backend.xp, z))(backend.asarray(Z)), expected.numpy())


def test_gradient_is_du_dx_plus_i_du_dy(backend, case):
    gradient = pn.grad(lambda z: case(backend.xp, z))(backend.asarray(Z))
    np.testing.assert_allclose(
        backend.to_numpy(gradient), differences(case, Z), rtol=1e-7, atol=1e-8
    )


def test_gradient_descends(backend, case):
    def function(z):
        return case(backend.xp, z)

    z = backend.asarray(Z)
    value, gradient = pn.value_and_grad(function)(z)
    drop = float(backend.to_numpy(value)) - float(backend.to_numpy(function(z - 1e-6 * gradient)))
    slope = np.sum(np.abs(backend.to_numpy(gradient)) ** 2)
    assert drop == pytest.approx(1e-6 * slope, rel=1e-3, abs=1e-14)


def test_tangent_is_the_real_product_with_the_gradient(backend, case):
    def function(z):
        return case(backend.xp, z)

    z, w = backend.asarray(Z), backend.asarray(W)
    _, tangent = pn.jvp(function, (z,), (w,))
    gradient = backend.to_numpy(pn.grad(function)(z))
    expected = np.sum(np.real(np.conj(gradient) * W))
    assert backend.to_numpy(tangent).dtype == np.float64
    assert float(backend.to_numpy(tangent)) == pytest.approx(expected, rel=1e-11)


def test_second_order(backend, case):
    """Both ways to the product with the Hessian, against differences of the gradient."""

    def function(z):
        return case(backend.xp, z)

    z, w = backend.asarray(Z), backend.asarray(W)

    def at(point):
        return backend.to_numpy(pn.grad(function)(backend.asarray(point)))

    expected = (at(Z + 1e-6 * W) - at(Z - 1e-6 * W)) / 2e-6
    found = backend.to_numpy(pn.hvp(function, z, w))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    xp = backend.xp

    def slope(z):
        return xp.sum(xp.real(pn.grad(function)(z) * xp.conj(w)))

    np.testing.assert_allclose(backend.to_numpy(pn.grad(slope)(z)), expected, rtol=1e-6, atol=1e-7)


def test_holomorphic_products(backend):
    """J v with the derivative, and its adjoint: the conjugate transpose."""
    xp, z, m = backend.xp, backend.asarray(Z), backend.asarray(M)
    u, jacobian = np.asarray([0.5 - 1j, 2 + 0.3j]), M * np.exp(Z)

    def function(z):
        return m @ xp.exp(z)

    close(backend, pn.jacobian_vector_product(function, z, backend.asarray(W)), jacobian @ W)
    found = pn.vector_jacobian_product(function, z, backend.asarray(u))
    close(backend, found, jacobian.conj().T @ u)


def test_real_input_of_a_complex_program_has_a_real_gradient(backend):
    xp, x = backend.xp, backend.asarray(np.real(Z).copy())
    w = backend.asarray(W)
    gradient = pn.grad(lambda x: xp.sum(xp.abs(x * w + 1j) ** 2))(x)
    close(backend, gradient, 2 * np.real(np.conj(W) * (np.real(Z) * W + 1j)))
    m, v = backend.asarray(M), backend.asarray(np.imag(Z).copy())
    gradient = pn.grad(lambda x: xp.sum(xp.abs(m @ xp.astype(x, m.dtype)) ** 2))(x)
    close(backend, gradient, 2 * np.real(M.conj().T @ (M @ np.real(Z))))
    tangent = pn.jvp(lambda x: xp.real(xp.exp(1j * x)), (x,), (v,))[1]
    close(backend, tangent, -np.sin(np.real(Z)) * np.imag(Z))


def test_a_rate_times_the_gradient_finds_the_minimum(backend):
    xp, target = backend.xp, backend.asarray(W)
    step = pn.grad(lambda z: xp.sum(xp.abs(z - target) ** 2))
    z = backend.asarray(Z)
    for _ in range(60):
        z = z - 0.25 * step(z)
    np.testing.assert_allclose(backend.to_numpy(z), W, rtol=1e-12)
