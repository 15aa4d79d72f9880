"""Programs as users of HIPS autograd write them, with the verbs of portanet: they converge."""

from __future__ import annotations

import itertools

import autograd.misc.optimizers
import autograd.numpy as anp
import autograd.numpy.random as random
import autograd.scipy.signal
import autograd.scipy.stats.multivariate_normal as mvn
import autograd.scipy.stats.norm as norm
import numpy as np
import pytest
import scipy.optimize
from autograd.builtins import tuple as boxed_tuple
from autograd.misc import flatten
from autograd.scipy.integrate import odeint
from autograd.scipy.special import logsumexp

import portanet as pn


def network(params, x):
    """A network whose parameters are a list of pairs of weights and biases."""
    for w, b in params:
        y = anp.dot(x, w) + b
        x = anp.tanh(y)
    return y


def drawn(rng, sizes, scale=0.5):
    return [
        (scale * rng.standard_normal((m, n)), scale * rng.standard_normal(n))
        for m, n in itertools.pairwise(sizes)
    ]


def test_logistic_regression_by_steps_against_the_gradient():
    x = np.asarray([[0.5, 1.1, 0.8], [0.9, -1.1, 0.1], [-0.1, 0.4, -1.3], [-2.7, 0.2, 0.9]])
    labels = np.asarray([True, True, False, False])

    def loss(w):
        p = 0.5 * (anp.tanh(anp.dot(x, w)) + 1)
        return -anp.sum(anp.log(p * labels + (1 - p) * (1 - labels)))

    step, w = pn.grad(loss), np.zeros(3)
    for _ in range(200):
        w = w - 0.1 * step(w)
    assert loss(np.zeros(3)) == pytest.approx(4 * np.log(2))
    assert loss(w) < 0.1


def test_a_classifier_with_the_optimizer_of_autograd():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 60)
    radius = np.repeat([0.5, 1.5], 30)
    x = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    targets = np.eye(2)[np.repeat([0, 1], 30)]

    def loss(params, i):
        logits = network(params, x)
        return -anp.mean(anp.sum(targets * (logits - logsumexp(logits, axis=1, keepdims=True)), 1))

    start = drawn(rng, (2, 10, 2))
    found = autograd.misc.optimizers.adam(pn.grad(loss), start, num_iters=300, step_size=0.05)
    assert loss(start, 0) > 0.5
    assert loss(found, 0) < 0.02


def test_a_gaussian_process_by_scipys_minimizer():
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, 6.0, 25)
    y = np.sin(x) + 0.1 * rng.standard_normal(25)

    def likelihood(params):
        scale, length, noise = anp.exp(params[0]), anp.exp(params[1]), anp.exp(params[2])
        distance = (anp.expand_dims(x, 1) - anp.expand_dims(x, 0)) / length
        covariance = scale * anp.exp(-0.5 * distance**2) + (noise + 1e-6) * anp.eye(len(x))
        return -mvn.logpdf(y, anp.zeros(len(x)), covariance)

    found = scipy.optimize.minimize(
        pn.value_and_grad(likelihood), np.zeros(3), jac=True, method="BFGS"
    )
    assert np.linalg.norm(found.jac) < 1e-3
    assert 0.05 < np.sqrt(np.exp(found.x[2])) < 0.2


def test_newtons_method_with_products_of_the_hessian():
    def valley(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    found = scipy.optimize.minimize(
        valley,
        np.asarray([-1.0, 2.0]),
        jac=pn.grad(valley),
        hessp=lambda x, v: pn.hvp(valley, x, v),
        method="Newton-CG",
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-4)


def test_variational_inference_by_samples():
    rng = random.RandomState(0)

    def log_density(z):
        return norm.logpdf(z[:, 0], 1.0, 0.5) + norm.logpdf(z[:, 1], -2.0, 1.5)

    def loss(params, i):
        mean, log_std = params[:2], params[2:]
        samples = rng.randn(50, 2) * anp.exp(log_std) + mean
        entropy = anp.sum(log_std)
        return -entropy - anp.mean(log_density(samples))

    found = autograd.misc.optimizers.adam(pn.grad(loss), np.zeros(4), num_iters=600, step_size=0.05)
    np.testing.assert_allclose(found, [1.0, -2.0, np.log(0.5), np.log(1.5)], atol=0.25)


def test_an_equation_with_a_network_in_it():
    """The true dynamics turn and shrink; a linear layer finds them from points on one path."""
    times, start = np.linspace(0.0, 3.0, 8), np.asarray([2.0, 0.0])
    truth = np.asarray([[-0.1, 1.0], [-1.0, -0.1]])
    path = odeint(lambda y, t: np.dot(y, truth), start, times)

    def dynamics(y, t, params):
        return network(params, y)

    first, unflatten = flatten(drawn(np.random.default_rng(2), (2, 2), scale=0.1))

    def loss(params):
        solution = odeint(dynamics, start, times, boxed_tuple((params,)))
        return anp.mean(anp.abs(solution - path) ** 2)

    def value_and_slope(flat):
        value, gradient = pn.value_and_grad(loss)(unflatten(flat))
        return value, flatten(gradient)[0]

    found = scipy.optimize.minimize(
        value_and_slope, first, jac=True, method="BFGS", options={"maxiter": 25}
    )
    assert loss(unflatten(first)) > 1.0
    assert found.fun < 1e-3


def test_a_filter_is_found_by_convolution():
    rng = np.random.default_rng(3)
    signal, kernel = rng.standard_normal((1, 40)), np.asarray([[0.5, -1.0, 0.25]])

    def filtered(k):
        return autograd.scipy.signal.convolve(signal, k, mode="valid")

    def loss(k):
        return anp.mean((filtered(k) - filtered(kernel)) ** 2)

    k, step = np.zeros((1, 3)), pn.grad(loss)
    for _ in range(150):
        k = k - 0.3 * step(k)
    np.testing.assert_allclose(k, kernel, atol=1e-3)


def test_flat_parameters_of_a_recorded_step():
    rng = np.random.default_rng(4)
    x = np.linspace(-2, 2, 40)[:, None]
    flat, unflatten = flatten(drawn(rng, (1, 8, 1)))
    _, restored = pn.ravel(unflatten(flat))

    def loss(flat):
        return anp.mean((network(restored(flat), x) - x**2) ** 2)

    step, first = pn.jit(lambda w: w - 0.05 * pn.grad(loss)(w)), loss(flat)
    for _ in range(500):
        flat = step(flat)
    assert loss(flat) < 0.05 * first
