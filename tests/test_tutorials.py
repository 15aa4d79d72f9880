"""The numbers printed in the tutorials of Lux, found again from the same random numbers.

`julia` draws what Julia drew, so models start from the tutorials' parameters and data. Samples are
rows here and columns there. Tolerances are the digits printed, or, after training, what float32
rounding makes of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from julia import MersenneTwister, Xoshiro

import portanet as pn

HALF = np.float32(0.5)


def single(values):
    return np.asarray(values, np.float32)


def show(backend, actual, expected, rtol=1e-6, atol=0.0):
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=rtol, atol=atol)


class TestTheGenerators:
    """Julia's generators, against what the tutorials print of them."""

    def test_uniform_numbers_one_after_the_other(self):
        rng = Xoshiro()
        draws = [rng.uniforms(10) for _ in range(3)]
        assert draws[0][:2].tolist() == [0.4552384158732863, 0.5476424498276177]
        assert draws[1][:2].tolist() == [0.018743665453639813, 0.8601828553599953]
        assert draws[2][-1] == 0.3691778381831775

    def test_a_matrix_fills_column_by_column(self):
        printed = [[0.455238, 0.746943, 0.193291], [0.547642, 0.746801, 0.116989]]
        np.testing.assert_allclose(Xoshiro().uniforms(5, 3)[:2], printed, rtol=3e-6)

    def test_the_bias_that_made_the_samples(self):
        printed = single([0.68468636, -0.57578707, 0.0594993, -0.9436797, 1.5164032])
        assert np.array_equal(_regression(_glorot)[3], printed)

    def test_the_noisy_polynomial(self):
        _, y, *_ = _polynomial()
        printed = [8.11723579535073, 7.8972862806322315, -0.21213293699653427, 0.049985105882301]
        np.testing.assert_allclose(y[[0, 1, -2, -1], 0], printed, rtol=1e-6)


class TestArrays:
    X = single([[0.567794, 0.369178, 0.342539], [0.0985227, 0.201145, 0.587206]])

    def test_arithmetic(self, backend):
        x = backend.asarray(self.X)
        doubled = [[1.13559, 0.738356, 0.685079], [0.197045, 0.40229, 1.17441]]
        show(backend, x + x, doubled, rtol=4e-6)
        show(backend, x - x, np.zeros((2, 3)))
        show(backend, x + 1, [[1.56779, 1.36918, 1.34254], [1.09852, 1.20114, 1.58721]], rtol=5e-6)

    def test_elements_and_columns(self, backend):
        x = backend.asarray(self.X)
        show(backend, x[1, 2], self.X[1, 2])
        show(backend, x[:, 2], self.X[:, 2])

    def test_broadcasting(self, backend):
        n = backend.asarray(single([1, 2, 3, 4, 5]))
        column = backend.xp.expand_dims(n, axis=1)
        zeros = backend.asarray(np.zeros((5, 5), np.float32))
        show(backend, zeros + column, np.repeat([[1], [2], [3], [4], [5]], 5, axis=1))
        show(backend, zeros + n, np.repeat([[1, 2, 3, 4, 5]], 5, axis=0))
        table = [[1, 2, 3, 4, 5], [2, 4, 6, 8, 10], [3, 6, 9, 12, 15], [4, 8, 12, 16, 20]]
        show(backend, column * n, [*table, [5, 10, 15, 20, 25]])

    def test_a_changed_copy_leaves_the_original(self, backend):
        x = backend.asarray(single([[1, 3, 5, 7], [2, 4, 6, 8]]))
        first = backend.asarray(np.asarray([True, False, False, False]))
        show(backend, backend.xp.where(first, 0.0, x), [[0, 3, 5, 7], [0, 4, 6, 8]])
        show(backend, x, [[1, 3, 5, 7], [2, 4, 6, 8]])

    def test_a_replicated_generator_repeats_itself(self):
        rng = np.random.default_rng(0)
        copies = [pn.replicate(rng).random(10) for _ in range(3)]
        assert np.array_equal(copies[0], copies[1])
        assert np.array_equal(copies[0], copies[2])
        assert np.array_equal(copies[0], rng.random(10))
        assert not np.array_equal(copies[0], rng.random(10))


class TestDerivatives:
    V = single([-0.4051151, -0.4593922, 0.92155594, 1.1871622])
    X = single([-0.877497, 1.1953009, -0.057005208, 0.25055695, 0.09351656])

    def test_the_vectors(self):
        """They follow thirty uniform numbers of the same generator."""
        rng = Xoshiro()
        for _ in range(3):
            rng.uniforms(10)
        assert np.array_equal(rng.normals(4), self.V)
        assert np.array_equal(rng.normals(5), self.X)

    def test_the_gradient(self, backend):
        v, basis = backend.asarray(self.V), np.eye(4, dtype=np.float32)
        (reverse,) = pn.gradient(lambda x: x @ x / 2, v)
        forward = [pn.jvp(lambda x: x @ x / 2, (v,), (backend.asarray(e),))[1] for e in basis]
        show(backend, reverse, self.V, rtol=0)
        show(backend, backend.xp.stack(forward), self.V, rtol=0)

    def test_both_products(self, backend):
        x, v = backend.asarray(self.X), backend.asarray(np.ones(5, np.float32))
        value, tangent = pn.jvp(lambda x: x * x / 2, (x,), (v,))
        halves = [0.3850005, 0.71437216, 0.0016247969, 0.031389393, 0.0043726736]
        show(backend, value, single(halves), rtol=0)
        show(backend, tangent, self.X, rtol=0)
        show(backend, pn.jacobian_vector_product(lambda x: x * x / 2, x, v), self.X, rtol=0)
        show(backend, pn.vector_jacobian_product(lambda x: x * x / 2, x, v), self.X, rtol=0)


def _glorot(rng):
    """The initial parameters of the earlier editions."""
    uniform = rng.uniforms(5, 10, dtype=np.float32)
    return {"weight": (uniform - HALF) * np.sqrt(single(24 / 15)), "bias": np.zeros(5, np.float32)}


def _kaiming(rng):
    """Those of the newest edition."""
    weight = (rng.uniforms(5, 10, dtype=np.float32) - HALF) * 2 * np.sqrt(single(3 / 10))
    bias = (rng.uniforms(5, dtype=np.float32) - HALF) * 2 * np.sqrt(single(1 / 10))
    return {"weight": weight, "bias": bias}


def _regression(initial):
    """Initial parameters, 20 noisy samples of W x + b in rows, and W and b."""
    rng = Xoshiro()
    ps, w, b = initial(rng), rng.normals(5, 10), rng.normals(5)
    x = rng.normals(10, 20)
    y = w @ x + b[:, None] + single(0.01) * rng.normals(5, 20)
    return ps, np.ascontiguousarray(x.T), np.ascontiguousarray(y.T), b, w


class TestLinearRegression:
    def test_the_initial_parameters(self):
        earlier, newest = _regression(_glorot)[0], _regression(_kaiming)[0]
        row = [-0.5583162, 0.3457679, 0.50863314, 0.60294497, 0.23095794, 0.16602759]
        smaller = [-0.48351604, 0.29944378, 0.44048923, 0.52216566, 0.20001544, 0.14378412]
        bias = [-0.04199602, -0.093925126, -0.0007736237, -0.19397983, 0.0066712513]
        np.testing.assert_allclose(earlier["weight"][0, :6], row, rtol=2e-7)
        np.testing.assert_allclose(newest["weight"][0, :6], smaller, rtol=2e-7)
        np.testing.assert_allclose(newest["bias"], bias, rtol=2e-7)

    def test_by_hand(self, backend):
        """The sum of squares, gradient descent at 0.01; residuals of 0.007 round to 1e-5 of it."""
        xp = backend.xp
        ps, x, y, b, w = map_arrays(backend, _regression(_glorot))

        def loss(ps, x, y):
            residual = x @ ps["weight"].T + ps["bias"] - y
            return xp.sum(residual * residual)

        show(backend, loss({"weight": w, "bias": b}, x, y), 0.009175307, rtol=2e-5)
        ps, found = pn.ComponentVector(ps), {}
        state = pn.optimizers.setup(pn.optimizers.SGD(0.01), ps)
        for i in range(1, 101):
            (grads,) = pn.gradient(lambda ps: loss(ps, x, y), ps)
            state, ps = pn.optimizers.update(state, ps, grads)
            if i % 10 == 1 or i == 100:
                found[i] = float(loss(ps, x, y))
        printed = {1: 165.57005, 11: 4.351237, 21: 0.6856849, 31: 0.15421417, 41: 0.041469414}
        printed |= {51: 0.014032223, 61: 0.006883738, 71: 0.004938521, 81: 0.004391277}
        printed |= {91: 0.0042331247, 100: 0.0041888584}
        assert found == pytest.approx(printed, rel=5e-5)

    def test_with_a_layer(self, backend):
        """The training steps of the newest edition; the first thousand are enough elsewhere."""
        ps, x, y, b, w = map_arrays(backend, _regression(_kaiming))
        loss, model = pn.MSELoss(), pn.Dense(10, 5)
        truth = model(x, {"weight": w, "bias": b}, {})[0]
        show(backend, loss(truth, y), 9.3742405e-5, rtol=2e-5)
        printed = {1: 7.80465460, 1000: 0.12503763}
        if backend.name == "numpy":
            printed |= {2000: 0.02538623, 3000: 0.00914946, 4000: 0.00407888, 5000: 0.00198553}
            printed |= {6000: 0.00101213, 7000: 0.00053365, 8000: 0.00029220, 9000: 0.00016886}
            printed |= {10000: 0.00010551}
        ts, found = pn.training.TrainState(model, ps, {}, pn.optimizers.SGD(0.01)), {}
        for i in range(1, max(printed) + 1):
            value, _, ts = pn.training.train_step(loss, (x, y), ts)
            if i in printed:
                found[i] = float(value)
        assert found == pytest.approx(printed, rel=2e-5, abs=2e-8)


def _polynomial():
    """128 points of x² − 2x with noise, and the initial parameters of the network."""
    rng = MersenneTwister(12345)
    x = np.linspace(-2, 2, 128, dtype=np.float32)[:, None]
    y = x * x - 2 * x + rng.doubles(128)[:, None] * np.float64(single(0.1))
    scale = np.sqrt(single(24 / 17))
    weights = [(rng.singles(16) - HALF) * scale for _ in range(2)]
    first = {"weight": weights[0][:, None], "bias": np.zeros(16, np.float32)}
    second = {"weight": weights[1][None], "bias": np.zeros(1, np.float32)}
    return x, y, {"layer_1": first, "layer_2": second}


class TestPolynomial:
    MODEL = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))

    def test_the_counts(self):
        ps, st = pn.setup(0, self.MODEL)
        counts = [pn.parameter_count(tree) for tree in (ps["layer_1"], ps["layer_2"], ps)]
        assert (counts, pn.state_count(st)) == ([32, 17, 49], 0)

    def test_the_initial_weights(self):
        *_, ps = _polynomial()
        first, second = ps["layer_1"]["weight"][:, 0], ps["layer_2"]["weight"][0]
        printed = [0.36222202, 0.23371002, 0.5260752, -0.07562564]
        np.testing.assert_allclose(first[[0, 1, -2, -1]], printed, rtol=2e-7)
        printed = [-0.14330137, -0.39328107, -0.34761065, -0.05758927]
        np.testing.assert_allclose(second[[0, 1, -2, -1]], printed, rtol=2e-7)

    def test_the_fit(self, backend):
        """The predictions after 250 steps of Adam, and a loss that falls to that of the noise."""
        x, y, ps = map_arrays(backend, _polynomial())
        _, st = pn.setup(0, self.MODEL)
        y = pn.astype(y, "float32")
        adam = pn.optimizers.Adam(0.03, epsilon=1.1920929e-7)
        ts, losses = pn.training.TrainState(self.MODEL, ps, st, adam), []
        for _ in range(250):
            value, _, ts = pn.training.train_step(pn.MSELoss(), (x, y), ts)
            losses.append(float(value))
        prediction, _ = self.MODEL(x, ts.parameters, ts.states)
        printed = [7.93183, 7.76661, 7.60138, 7.43616, -0.305276, -0.280904, -0.256532]
        ends = backend.to_numpy(prediction)[[0, 1, 2, 3, -3, -2, -1], 0]
        np.testing.assert_allclose(ends, printed, rtol=0, atol=1e-5)
        averages = np.mean(np.reshape(losses, (5, 50)), axis=1)
        assert (np.diff(averages) < 0).all()
        assert losses[-1] < 0.015


def map_arrays(backend, tree):
    return pn.trees.map_leaves(backend.asarray, tree)
