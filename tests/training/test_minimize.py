"""Full-batch minimisation against SciPy: Rosenbrock's function, fits of curves, a small PINN."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import errors, trees
from portanet.training import TrainState, minimize, scipy_objective
from portanet.training.known.known_steps import STEPS
from portanet.training.minimization.line_search import Probe, StrongWolfe

optimize = pytest.importorskip("scipy.optimize")


def state(ps, model=None, st=None):
    return TrainState(model or (lambda x, ps, st: x), ps, st or {}, pn.optimizers.Adam())


def rosenbrock(model, ps, st, data):
    x = ps["x"]
    xp = pn.array_namespace(x)
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2), st, {}


def rosenbrock_residuals(model, ps, st, data):
    x = ps["x"]
    root = 2.0**0.5
    return [10.0 * root * (x[1:] - x[:-1] ** 2), root * (1.0 - x[:-1])], st, {}


START = np.asarray([-1.2, 1.0, -0.5, 0.8, 2.0])


@pytest.mark.parametrize("jit", [False, True])
def test_lbfgs_finds_the_minimum_of_rosenbrock(backend, jit):
    ts = state({"x": backend.asarray(START)})
    new, found = minimize(ts, rosenbrock, None, gtol=1e-8, ftol=0.0, jit=jit)
    scipy = optimize.minimize(
        optimize.rosen, START, jac=optimize.rosen_der, method="L-BFGS-B",
        options={"gtol": 1e-8, "ftol": 0.0},
    )  # fmt: skip
    assert found.converged
    assert found.steps <= 1.5 * scipy.nit
    assert found.evaluations <= 1.5 * scipy.nfev
    assert found.gradient <= 1e-8
    np.testing.assert_allclose(backend.to_numpy(new.parameters["x"]), scipy.x, atol=1e-7)
    assert (new.step, len(found.values)) == (found.steps, found.steps + 1)
    assert np.all(np.diff(found.values) < 0)
    assert found.value == found.values[-1]


@pytest.mark.parametrize("method", ["gauss_newton", "levenberg_marquardt"])
def test_least_squares_find_the_minimum_of_rosenbrock(backend, method):
    ts = state({"x": backend.asarray(START[:2])})
    new, found = minimize(ts, rosenbrock_residuals, None, method=method, gtol=1e-9, ftol=0.0)
    assert found.converged
    np.testing.assert_allclose(backend.to_numpy(new.parameters["x"]), np.ones(2), atol=1e-8)
    start, _, _ = rosenbrock(None, {"x": START[:2]}, {}, None)
    np.testing.assert_allclose(found.values[0], start, rtol=1e-12)


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def decay_residuals(model, ps, st, data):
    t, y = data
    xp = pn.array_namespace(t)
    return ps["a"] * xp.exp(-ps["b"] * t) + ps["c"] - y, st, {}


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("method", ["gauss_newton", "levenberg_marquardt"])
def test_a_curve_is_fitted_as_scipy_fits_it(backend, method, jit):
    rng = np.random.default_rng(0)
    t = np.linspace(0.0, 4.0, 40)
    y = decay(t, 2.5, 1.3, 0.5) + 0.1 * rng.normal(size=40)
    expected = optimize.curve_fit(decay, t, y, p0=(1.0, 1.0, 1.0), ftol=1e-14, xtol=1e-14)[0]
    ps = {name: backend.asarray(np.asarray(1.0)) for name in "abc"}
    data = backend.asarray(t), backend.asarray(y)
    ts, found = minimize(
        state(ps), decay_residuals, data, method=method, gtol=1e-9, ftol=0.0, jit=jit
    )
    fitted = [float(ts.parameters[name]) for name in "abc"]
    np.testing.assert_allclose(fitted, expected, rtol=1e-6)
    assert all(x.shape == () for x in ts.parameters.values())
    residual = decay(t, *expected) - y
    np.testing.assert_allclose(found.value, 0.5 * residual @ residual, rtol=1e-9)


def poisson(model, ps, st, x):
    """The residual of u'' = -π² sin(πx) with u(0) = u(1) = 0, whose solution is sin(πx)."""
    xp = pn.array_namespace(x)

    def u(x):
        return x * (1.0 - x) * model(x, ps, st)[0]

    def slope(x):
        return pn.jvp(u, (x,), (xp.ones_like(x),))[1]

    second = pn.jvp(slope, (x,), (xp.ones_like(x),))[1]
    residual = second + math.pi**2 * xp.sin(math.pi * x)
    return xp.mean(residual * residual), st, {}


def pinn(backend):
    model = pn.Chain(pn.Dense(1, 12, pn.tanh), pn.Dense(12, 1))
    ps, st = pn.setup(0, model, dtype="float64")
    ps, st = (trees.map_leaves(backend.asarray, tree) for tree in (ps, st))
    return model, state(ps, model, st), backend.asarray(np.linspace(0.0, 1.0, 33)[:, None])


def test_a_physics_informed_network_is_solved_as_by_scipy(backend):
    model, ts, x = pinn(backend)
    new, found = minimize(ts, poisson, x, max_steps=60, gtol=1e-6, ftol=0.0)
    objective = scipy_objective(poisson, ts, x)
    scipy = optimize.minimize(
        objective, objective.start, jac=True, method="L-BFGS-B",
        options={"maxiter": 60, "gtol": 1e-6, "ftol": 0.0},
    )  # fmt: skip
    assert found.value < max(10.0 * scipy.fun, 1e-4)
    for solved in (new, objective.state(scipy.x)):
        u = x * (1.0 - x) * model(x, solved.parameters, solved.states)[0]
        exact = np.sin(math.pi * np.linspace(0.0, 1.0, 33))[:, None]
        np.testing.assert_allclose(backend.to_numpy(u), exact, atol=1e-3)


@pytest.mark.parametrize("jit", [False, True])
def test_scipy_gets_the_loss_and_its_gradient(backend, jit):
    _, ts, x = pinn(backend)
    objective = scipy_objective(poisson, ts, x, jit=jit)
    value, gradient = objective(objective.start)
    assert type(value) is float
    assert (gradient.dtype, gradient.shape) == (np.float64, objective.start.shape)
    assert type(gradient) is np.ndarray
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.normal(size=gradient.shape)
        h = 1e-5
        ends = [objective(objective.start + s * h * direction)[0] for s in (1.0, -1.0)]
        np.testing.assert_allclose(gradient @ direction, (ends[0] - ends[1]) / (2 * h), rtol=1e-6)
    again = objective.state(objective.start)
    for a, b in zip(trees.leaves(again.parameters), trees.leaves(ts.parameters), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(backend.to_numpy(a), backend.to_numpy(b))
    with pytest.raises(errors.ShapeError, match=r"x\.shape == "):
        objective(np.zeros(3))


def test_float32_stays_float32_and_says_where_it_ends(backend):
    ts = state({"x": backend.asarray(START.astype(np.float32))})
    new, found = minimize(ts, rosenbrock, None, gtol=0.0, ftol=0.0)
    assert new.parameters["x"].dtype == ts.parameters["x"].dtype
    np.testing.assert_allclose(backend.to_numpy(new.parameters["x"]), np.ones(5), atol=2e-3)
    assert found.reason in (
        "no step lowers the loss in this precision", "no entry of the gradient is above gtol",
    )  # fmt: skip


def test_frozen_and_untrained_entries_stay():
    ps = {"a": np.asarray([3.0, 4.0]), "b": np.asarray([1.0]), "n": np.asarray(2), "s": "text"}

    def loss(model, ps, st, data):
        return np.sum(ps["a"] ** 2) + np.sum((ps["b"] - ps["a"][0]) ** 2), st, {}

    ts = pn.optimizers.freeze(state(ps), "b")
    new, _ = minimize(ts, loss, None, gtol=1e-10, ftol=0.0)
    assert new.parameters["b"] is ps["b"]
    assert new.parameters["n"] is ps["n"]
    assert new.parameters["s"] == "text"
    np.testing.assert_allclose(new.parameters["a"], [0.5, 0.0], atol=1e-9)
    assert new.optimizer_state is ts.optimizer_state
    np.testing.assert_array_equal(ps["a"], [3.0, 4.0])
    with pytest.raises(errors.ParameterTreeError, match="ts has a parameter to train"):
        minimize(pn.optimizers.freeze(ts), loss, None)


def test_complex_parameters_are_minimised(backend):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 3)) + 1j * rng.normal(size=(6, 3))
    b = rng.normal(size=6) + 1j * rng.normal(size=6)
    data = backend.asarray(a), backend.asarray(b)

    def loss(model, ps, st, data):
        a, b = data
        r = a @ ps["w"] - b
        xp = pn.array_namespace(r)
        return xp.sum(xp.real(r) ** 2 + xp.imag(r) ** 2), st, {}

    ts = state({"w": backend.asarray(np.zeros(3, complex))})
    new, _ = minimize(ts, loss, data, gtol=1e-10, ftol=0.0)
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(backend.to_numpy(new.parameters["w"]), expected, rtol=1e-7)


def test_states_are_those_at_the_minimum_and_keys_stay_the_same():
    model = pn.Chain(pn.Dense(2, 4), pn.BatchNorm(4), pn.Dropout(0.3), pn.Dense(4, 1))
    ps, st = pn.setup(0, model, dtype="float64")
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    ts = TrainState(model, ps, st, pn.optimizers.Adam())
    new, found = minimize(ts, pn.MSELoss(), data, max_steps=20)
    value, once, _ = pn.MSELoss()(model, new.parameters, ts.states, data)
    np.testing.assert_allclose(found.value, value, rtol=1e-12)
    for a, b in zip(trees.leaves(new.states), trees.leaves(once), strict=True):
        if hasattr(a, "shape"):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        else:
            assert a == b


def test_values_that_are_not_finite_shorten_the_step():
    def loss(model, ps, st, data):
        x = ps["x"]
        with np.errstate(all="ignore"):
            return np.sum(x - np.log(x)), st, {}  # NaN where x < 0, least at 1

    for start in (1e-3, 50.0):
        with np.errstate(all="ignore"):
            new, _ = minimize(state({"x": np.asarray([start])}), loss, None, gtol=1e-9, ftol=0.0)
        np.testing.assert_allclose(new.parameters["x"], [1.0], atol=1e-8)
    with (
        pytest.raises(errors.NonFiniteError, match="finite at the start"),
        np.errstate(all="ignore"),
    ):
        minimize(state({"x": np.asarray([-1.0])}), loss, None)


@pytest.mark.parametrize("seed", range(40))
def test_the_search_fulfils_the_strong_conditions_of_wolfe(seed):
    """Along random polynomials with waves on them, from steps far too short and too long."""
    rng = np.random.default_rng(seed)
    center, height, wave = rng.uniform(0.5, 20.0), rng.uniform(0.1, 5.0), rng.uniform(0.0, 1.0)

    def f(t):
        return height * ((t - center) / center) ** 4 + wave * height * np.cos(5.0 * t / center)

    def slope(t):
        main = 4.0 * height * ((t - center) / center) ** 3 / center
        return main - wave * height * 5.0 / center * np.sin(5.0 * t / center)

    def probe(t):
        return Probe(t, f(t), slope(t), None, None, 0.0, None)

    found = StrongWolfe(probe, probe(0.0), 0.0).search(center * 10.0 ** rng.uniform(-3.0, 2.0))
    assert found is not None
    assert found.value <= f(0.0) + 1e-4 * found.step * slope(0.0)
    assert abs(found.slope) <= 0.9 * abs(slope(0.0))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "newton"}, "minimize: method is one of 'lbfgs', 'gauss_newton'"),
        ({"method": None}, "minimize: method is one of"),
        ({"max_steps": 0}, "minimize: max_steps is an integer >= 1: got 0"),
        ({"max_steps": True}, "minimize: max_steps is an integer >= 1: got True"),
        ({"memory": 2.0}, "minimize: memory is an integer >= 1: got 2.0"),
        ({"gtol": -1.0}, "minimize: gtol is a number >= 0: got -1.0"),
        ({"ftol": math.nan}, "minimize: ftol is a number >= 0: got nan"),
        ({"jit": 1}, "minimize: jit is True, False or None: got 1"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises((errors.ArgumentError, errors.HyperparameterError), match=text):
        minimize(state({"x": START}), rosenbrock, None, **options)


@pytest.mark.parametrize("method", ["gauss_newton", "levenberg_marquardt"])
def test_one_number_is_no_residuals(method):
    """Half of the square of a mean of squares would be minimised."""
    model, x = pn.Dense(1, 1), np.ones((3, 1))
    ts = pn.training.TrainState(model, *pn.setup(0, model, dtype="float64"), pn.optimizers.Adam())
    with pytest.raises(errors.ArgumentError, match=r"returns residuals .* got MSELoss"):
        minimize(ts, pn.MSELoss(), (x, x), method=method)
    with pytest.raises(errors.ShapeError, match=r"residuals.ndim >= 1"):
        minimize(ts, lambda *args: pn.MSELoss()(*args), (x, x), method=method)


def test_equal_losses_are_recorded_once():
    """As in `train_step`: equal values share a program, what changes around a loss is seen."""
    pn.training.clear_steps()
    scale = [1.0]

    def loss_of(power):
        def loss(model, ps, st, data):
            x, y = data
            prediction, st = model(x, ps, st)
            return scale[0] * np.mean(np.abs(prediction - y) ** power), st, {}

        return loss

    x = np.linspace(-1.0, 1.0, 20)[:, None]

    def run(loss, hidden=4, data=None):
        """Return the values, and how many functions were recorded."""
        model = pn.Chain(pn.Dense(1, hidden, pn.tanh), pn.Dense(hidden, 1))
        ps, st = pn.setup(0, model, dtype="float64")
        ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam())
        before = {known: known.run.recordings for known in STEPS._steps}
        data = (x, np.sin(x)) if data is None else data
        _, minimum = pn.training.minimize(ts, loss, data, max_steps=5)
        return minimum.values, sum(k.run.recordings - before.get(k, 0) for k in STEPS._steps)

    square = loss_of(2)
    first, count = run(square)
    assert count == 1
    for loss in (square, loss_of(2)):
        again, count = run(loss)
        assert np.array_equal(again, first)
        assert count == 0
    assert run(loss_of(4))[1] == 1
    assert run(square, hidden=5)[1] == 1
    assert run(square, data=(x[:7], np.cos(x[:7])))[1] == 1  # of another shape
    others, count = run(square, data=(x, np.cos(x)))
    assert count == 0
    assert not np.array_equal(others, first)
    scale[0] = 3.0
    tripled, count = run(square)
    np.testing.assert_allclose(tripled[0], 3.0 * first[0], rtol=1e-12)
    assert count == 1
    pn.training.clear_steps()
    assert run(square)[1] == 1


def test_an_objective_of_scipy_sees_what_changes_around_its_loss():
    scale = [1.0]

    def loss(model, ps, st, data):
        x, y = data
        prediction, st = model(x, ps, st)
        return scale[0] * np.mean((prediction - y) ** 2), st, {}

    model, x = pn.Dense(1, 1), np.ones((3, 1))
    ts = pn.training.TrainState(model, *pn.setup(0, model, dtype="float64"), pn.optimizers.Adam())
    objective = pn.training.scipy_objective(loss, ts, (x, 2 * x))
    value, gradient = objective(objective.start)
    scale[0] = 5.0
    more, steeper = objective(objective.start)
    np.testing.assert_allclose([more, *steeper], [5 * value, *(5 * gradient)])


def test_bad_losses_and_states():
    ts = state({"x": START})
    with pytest.raises(errors.ArgumentError, match="ts is a TrainState"):
        minimize({"x": START}, rosenbrock, None)
    with pytest.raises(errors.ArgumentError, match="scipy_objective: loss is a function"):
        scipy_objective(None, ts, None)
    with pytest.raises(errors.ShapeError, match=r"value.shape == \(\)"):
        minimize(ts, lambda model, ps, st, data: (ps["x"], st, {}), None)
    with pytest.raises(errors.DTypeError, match="returns a tuple of 3"):
        minimize(ts, lambda model, ps, st, data: ps["x"], None, method="gauss_newton")
    objective = scipy_objective(rosenbrock, ts, None)
    for wrong in (START + 0j, ["a"] * 5):
        with pytest.raises(errors.DTypeError, match="real numbers"):
            objective(wrong)
    with pytest.raises(errors.DTypeError, match="the loss returns residuals first"):
        minimize(ts, lambda model, ps, st, data: (1.0, st, {}), None, method="gauss_newton")
    mixed = state({"a": np.ones(2), "b": np.ones(2, np.float32)})
    with pytest.raises(errors.DTypeError, match="one dtype for all trained parameters: 'b' is"):
        minimize(mixed, rosenbrock, None)
