"""Initializers: published bounds and deviations, distributions by SciPy, structure, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import functional, initializers
from portanet.errors import DTypeError, HyperparameterError, ShapeError

ALL = [
    initializers.zeros(),
    initializers.ones(),
    initializers.constant(0.25),
    initializers.uniform(-1.0, 2.0),
    initializers.normal(0.5, 2.0),
    initializers.truncated_normal(),
    initializers.glorot_uniform(),
    initializers.glorot_normal(gain=2.0),
    initializers.kaiming_uniform(),
    initializers.kaiming_normal(gain=1.0),
    initializers.lecun_normal(),
    initializers.lecun_uniform(),
    initializers.variance_scaling(2.0, "fan_avg"),
    initializers.orthogonal(),
    initializers.identity(shift=(1, 0)),
    initializers.sparse(0.5),
]


def _draw(init, shape, dtype=np.float64, seed=0):
    return init(np.random.default_rng(seed), shape, dtype)


@pytest.mark.parametrize("init", ALL, ids=repr)
class TestEvery:
    def test_one_seed_gives_one_array_in_every_dtype(self, init):
        exact = _draw(init, (6, 4))
        for dtype in (np.float16, np.float32, np.float64, np.longdouble):
            x = _draw(init, (6, 4), dtype)
            assert x.dtype == dtype
            assert x.shape == (6, 4)
            np.testing.assert_array_equal(x, exact.astype(dtype))

    def test_float32_is_the_default(self, init):
        assert init(np.random.default_rng(0), (3, 2)).dtype == np.float32

    def test_the_generator_moves_on(self, init):
        if isinstance(init, initializers.zeros | initializers.ones | initializers.constant):
            pytest.skip("draws nothing")
        if isinstance(init, initializers.identity):
            pytest.skip("draws nothing")
        rng = np.random.default_rng(0)
        assert not np.array_equal(init(rng, (5, 5)), init(rng, (5, 5)))

    def test_an_empty_array_is_possible(self, init):
        assert _draw(init, (0, 3)).shape == (0, 3)

    def test_repr_is_the_constructor_call(self, init):
        again = eval(repr(init), vars(initializers))
        assert again == init
        assert hash(again) == hash(init)

    def test_bad_calls_are_refused(self, init):
        name, rng = type(init).__name__, np.random.default_rng(0)
        with pytest.raises(HyperparameterError, match=rf"{name}: rng is a numpy\.random\.Generato"):
            init(0, (2, 2))
        with pytest.raises(HyperparameterError, match=rf"{name}: shape is a tuple of integers"):
            init(rng, (2, -1))
        with pytest.raises(DTypeError, match=rf"{name}: dtype is real floating: got int64"):
            init(rng, (2, 2), np.int64)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((7,), (1, 7)),
        ((5, 10), (10, 5)),
        ((4, 5, 10), (20, 40)),
        ((3, 2, 5, 10), (30, 60)),
    ],
)
def test_fans(shape, expected):
    assert initializers.fans(shape) == expected


def test_a_number_has_no_fans():
    with pytest.raises(ShapeError, match=r"len\(shape\) >= 1: 0 < 1"):
        _draw(initializers.glorot_normal(), ())


# Shapes with fan_in 300 and fan_out 200, by the rule of the fans.
@pytest.mark.parametrize("shape", [(200, 300), (5, 60, 40), (5, 2, 30, 20)])
@pytest.mark.parametrize(
    ("init", "distribution", "scale"),
    [
        (initializers.glorot_uniform(), "uniform", math.sqrt(6 / 500)),
        (initializers.glorot_uniform(gain=3), "uniform", 3 * math.sqrt(6 / 500)),
        (initializers.kaiming_uniform(), "uniform", math.sqrt(2) * math.sqrt(3 / 300)),
        (initializers.kaiming_uniform(gain=1), "uniform", math.sqrt(3 / 300)),
        (initializers.glorot_normal(), "norm", math.sqrt(2 / 500)),
        (initializers.kaiming_normal(), "norm", math.sqrt(2 / 300)),
        (initializers.lecun_normal(), "norm", math.sqrt(1 / 300)),
        (initializers.lecun_uniform(), "uniform", math.sqrt(3 / 300)),
        (initializers.variance_scaling(2.0, "fan_out", "normal"), "norm", math.sqrt(2 / 200)),
        (initializers.variance_scaling(3.0, "fan_avg", "uniform"), "uniform", math.sqrt(9 / 250)),
    ],
    ids=repr,
)
def test_scaled_distributions_are_the_published_ones(init, distribution, scale, shape):
    stats = pytest.importorskip("scipy.stats")
    x = _draw(init, shape).ravel()
    location = (-scale, 2 * scale) if distribution == "uniform" else (0.0, scale)
    assert stats.kstest(x, distribution, args=location).pvalue > 1e-3
    if distribution == "uniform":
        assert np.abs(x).max() <= scale
        assert np.abs(x).max() > 0.99 * scale


def test_scaled_deviations_are_those_of_torch():
    torch = pytest.importorskip("torch")
    weight = torch.empty(400, 300)
    for init, oracle in (
        (initializers.glorot_uniform(), torch.nn.init.xavier_uniform_),
        (initializers.glorot_normal(), torch.nn.init.xavier_normal_),
        (initializers.kaiming_uniform(), lambda w: torch.nn.init.kaiming_uniform_(w, a=0)),
        (initializers.kaiming_normal(), lambda w: torch.nn.init.kaiming_normal_(w, a=0)),
    ):
        torch.manual_seed(0)
        expected = oracle(weight).std().item()
        np.testing.assert_allclose(_draw(init, (400, 300)).std(), expected, rtol=0.02)


@pytest.mark.parametrize(
    ("init", "distribution", "location"),
    [
        (initializers.uniform(-1.0, 2.0), "uniform", (-1.0, 3.0)),
        (initializers.normal(0.5, 2.0), "norm", (0.5, 2.0)),
        (initializers.truncated_normal(), "truncnorm", (-2, 2, 0, 1)),
        (initializers.truncated_normal(1.0, 2.0, 0.0, 2.0), "truncnorm", (-0.5, 0.5, 1.0, 2.0)),
    ],
    ids=repr,
)
def test_plain_distributions(init, distribution, location):
    stats = pytest.importorskip("scipy.stats")
    x = _draw(init, (20_000,))
    assert stats.kstest(x, distribution, args=location).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (2, 2, 3, 7), (2, 3, 40)])
def test_orthogonal_matrices(shape):
    matrix = _draw(initializers.orthogonal(gain=2.0), shape).reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(min(rows, columns)), atol=1e-13)


def test_orthogonal_signs_are_drawn_evenly():
    signs = [np.sign(_draw(initializers.orthogonal(), (3, 3), seed=i)[0, 0]) for i in range(400)]
    assert abs(np.mean(signs)) < 0.2


def test_orthogonal_needs_a_matrix():
    with pytest.raises(ShapeError, match=r"orthogonal: len\(shape\) >= 2: the shape is \(3,\)"):
        _draw(initializers.orthogonal(), (3,))


def test_identity_passes_its_input_on():
    np.testing.assert_array_equal(_draw(initializers.identity(), (2, 3)), np.eye(2, 3))
    np.testing.assert_array_equal(_draw(initializers.identity(gain=2.0), (2, 2)), 2 * np.eye(2))
    np.testing.assert_array_equal(_draw(initializers.identity(), (3,)), np.zeros(3))
    kernel = _draw(initializers.identity(), (3, 5, 2, 4))
    np.testing.assert_array_equal(kernel[1, 2], np.eye(2, 4))
    assert np.count_nonzero(kernel) == 2


@pytest.mark.parametrize(("share", "inputs", "zeros"), [(0.07, 100, 7), (0.14, 50, 7), (0.3, 7, 2)])
def test_sparse_drops_the_nearest_number(share, inputs, zeros):
    assert (_draw(initializers.sparse(share), (3, inputs)) == 0).sum(axis=1).tolist() == [zeros] * 3


def test_sparse_leaves_each_unit_few_inputs():
    x = _draw(initializers.sparse(0.7, std=2.0), (400, 50))
    np.testing.assert_array_equal(np.count_nonzero(x, axis=1), np.full(400, 15))
    np.testing.assert_allclose(x[x != 0].std(), 2.0, rtol=0.05)
    assert np.count_nonzero(x, axis=0).min() > 60
    with pytest.raises(ShapeError, match=r"sparse: len\(shape\) == 2: the shape is \(2, 2, 2\)"):
        _draw(initializers.sparse(0.5), (2, 2, 2))


def test_gains_are_the_published_ones():
    torch = pytest.importorskip("torch")
    published = torch.nn.init.calculate_gain
    for function, name in (
        (functional.identity, "linear"),
        (functional.sigmoid, "sigmoid"),
        (functional.relu, "relu"),
        (functional.tanh, "tanh"),
        (functional.leaky_relu, "leaky_relu"),
        (functional.selu, "selu"),
    ):
        np.testing.assert_allclose(initializers.gain(function), published(name), rtol=1e-15)
    assert initializers.gain(None) == 1.0
    assert initializers.gain(lambda x: x) == 1.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: initializers.normal(std=-1.0), "normal: std > 0: got -1.0"),
        (lambda: initializers.normal(mean=math.nan), "normal: mean is a finite number: got nan"),
        (lambda: initializers.uniform(2.0, 1.0), "uniform: low < high: got (2.0, 1.0)"),
        (lambda: initializers.constant("a"), "constant: value is a finite number: got 'a'"),
        (lambda: initializers.kaiming_normal(gain=0), "kaiming_normal: gain > 0: got 0"),
        (lambda: initializers.sparse(1.5), "sparse: 0 <= sparsity <= 1: got 1.5"),
    ],
)
def test_bad_hyperparameters_are_refused(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


def test_bounds_that_are_nearly_never_met_are_refused():
    with pytest.raises(HyperparameterError, match=r"lies between low and high in >= 0\.01"):
        initializers.truncated_normal(low=5.0, high=6.0)
    with pytest.raises(HyperparameterError, match=r"lies between low and high in >= 0\.01"):
        initializers.truncated_normal(low=1.0, high=-1.0)


def test_initializers_are_reached_from_the_top():
    assert pn.initializers is initializers


def test_variance_scaling_cuts_off_without_losing_variance():
    stats = pytest.importorskip("scipy.stats")
    x = _draw(initializers.variance_scaling(2.0), (200, 300)).ravel()
    std = math.sqrt(2.0 / 300) / stats.truncnorm(-2, 2).std()
    assert stats.kstest(x, stats.truncnorm(-2, 2, scale=std).cdf).pvalue > 1e-3
    assert np.abs(x).max() <= 2 * std
    np.testing.assert_allclose(x.var(), 2.0 / 300, rtol=0.02)


@pytest.mark.parametrize(("shape", "groups"), [((3, 4, 6), 1), ((3, 5, 2, 6), 3), ((3, 1, 4), 4)])
def test_dirac_is_that_of_torch(shape, groups):
    torch = pytest.importorskip("torch")
    weight = torch.empty(shape[-1], shape[-2], *shape[:-2])
    torch.nn.init.dirac_(weight, groups)
    expected = np.moveaxis(weight.numpy(), (1, 0), (-2, -1))
    np.testing.assert_array_equal(_draw(initializers.dirac(groups), shape), expected)


def test_identity_is_rolled():
    x = _draw(initializers.identity(gain=2.0, shift=1), (3, 3))
    np.testing.assert_array_equal(x, 2.0 * np.asarray([[0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    x = _draw(initializers.identity(shift=(0, 1)), (2, 3))
    np.testing.assert_array_equal(x, [[0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: initializers.variance_scaling(0.0), "variance_scaling: scale > 0: got 0.0"),
        (
            lambda: initializers.variance_scaling(mode="fan"),
            "variance_scaling: mode is one of 'fan_in', 'fan_out', 'fan_avg': got 'fan'",
        ),
        (lambda: initializers.dirac(0), "dirac: groups >= 1: got 0"),
    ],
)
def test_more_bad_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


def test_dirac_refuses_other_shapes():
    with pytest.raises(ShapeError, match=r"dirac: len\(shape\) >= 3: the shape is \(2, 3\)"):
        _draw(initializers.dirac(), (2, 3))
    with pytest.raises(ShapeError, match=r"dirac: groups divides shape\[-1\]: groups 2, shape "):
        _draw(initializers.dirac(2), (3, 2, 3))
