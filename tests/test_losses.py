"""Losses against published numbers and torch; reductions, bad input, and both ways to call one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from portanet import autodiff
from portanet.errors import (
    ArgumentError,
    BackendMismatchError,
    DTypeError,
    HyperparameterError,
    ShapeError,
)
from portanet.losses import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    HuberLoss,
    MAELoss,
    MSELoss,
)

RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(6, 4)) * 2
SOFT = RNG.dirichlet(np.ones(4), size=6)
BINARY = RNG.uniform(size=(6, 4))
# Lux's own examples: every sample is softmax(0, 1, 2), the classes are 1, 2, 3, 2, 1.
LUX_COLUMN = np.exp([0.0, 1.0, 2.0]) / np.sum(np.exp([0.0, 1.0, 2.0]))
LUX_PROBABILITIES = np.tile(LUX_COLUMN, (5, 1))
LUX_TARGET = np.eye(3)[[0, 1, 2, 1, 0]]


def _put(backend, x, dtype="float64"):
    return backend.asarray(np.asarray(x, dtype=dtype))


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "expected"),
    [
        (MAELoss(), [1.1, 1.9, 3.1], [1.0, 2.0, 3.0], 0.1),
        (MSELoss(), [1.1, 1.9, 3.1], [1.0, 2.0, 3.0], 0.01),
        (HuberLoss(), [1.1, 2.1, 3.1], [1.0, 2.0, 3.0], 0.005),
        (HuberLoss(delta=0.05), [1.1, 2.1, 3.1], [1.0, 2.0, 3.0], 0.00375),
        (CrossEntropyLoss(), LUX_PROBABILITIES, LUX_TARGET, 1.6076053),
        (CrossEntropyLoss(label_smoothing=0.15), LUX_PROBABILITIES, LUX_TARGET, 1.5776052),
        (CrossEntropyLoss(reduction="sum"), LUX_PROBABILITIES, LUX_TARGET, 5 * 1.6076053),
        (CrossEntropyLoss(axis=0), LUX_PROBABILITIES.T, LUX_TARGET.T, 1.6076053),
        (CrossEntropyLoss(logits=True), np.log(LUX_PROBABILITIES), LUX_TARGET, 1.6076053),
        (BinaryCrossEntropyLoss(logits=True), [2.0, -1.0, math.pi], [1.0, 0.0, 1.0], 0.160832),
        (
            BinaryCrossEntropyLoss(),
            [0.8807970779778824, 0.2689414213699951, 0.9585761678336372],
            [1.0, 0.0, 1.0],
            0.16083185,
        ),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_that_lux_prints(backend, loss, prediction, target, expected, dtype):
    value = loss(_put(backend, prediction, dtype), _put(backend, target, dtype))
    assert value.shape == ()
    assert value.dtype == backend.dtype(dtype)
    np.testing.assert_allclose(backend.to_numpy(value), expected, rtol=2e-6)


def _oracles(torch):
    f = torch.nn.functional
    return {
        "mse": (MSELoss, f.mse_loss, SCORES, BINARY),
        "mae": (MAELoss, f.l1_loss, SCORES, BINARY),
        "huber": (
            lambda **o: HuberLoss(delta=0.7, **o),
            _partial(f.huber_loss, delta=0.7),
            SCORES,
            BINARY,
        ),
        "cross entropy": (_partial(CrossEntropyLoss, logits=True), f.cross_entropy, SCORES, SOFT),
        "smoothed cross entropy": (
            _partial(CrossEntropyLoss, logits=True, label_smoothing=0.2),
            _partial(f.cross_entropy, label_smoothing=0.2),
            SCORES,
            SOFT,
        ),
        "binary": (
            _partial(BinaryCrossEntropyLoss, epsilon=0.0),
            f.binary_cross_entropy,
            BINARY,
            SOFT,
        ),
        "binary logits": (
            _partial(BinaryCrossEntropyLoss, logits=True),
            f.binary_cross_entropy_with_logits,
            SCORES,
            SOFT,
        ),
    }


def _partial(function, **fixed):
    return lambda *args, **options: function(*args, **fixed, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "name",
    ["mse", "mae", "huber", "cross entropy", "smoothed cross entropy", "binary", "binary logits"],
)
def test_values_and_both_derivatives_are_those_of_torch(backend, name, reduction):
    torch = pytest.importorskip("torch")
    make, oracle, prediction, target = _oracles(torch)[name]
    loss = make(reduction=reduction)
    p = torch.tensor(prediction, requires_grad=True)
    t = torch.tensor(target, requires_grad=True)
    expected = oracle(p, t, reduction=reduction)
    first = torch.autograd.grad(expected.sum(), (p, t), create_graph=True)
    xp, x, y = backend.xp, _put(backend, prediction), _put(backend, target)

    value = loss(x, y)
    assert value.shape == tuple(expected.shape)
    np.testing.assert_allclose(backend.to_numpy(value), expected.detach(), rtol=1e-13)

    def total(x, y):
        return xp.sum(loss(x, y))

    gradients = autodiff.gradient(total, x, y)
    for actual, wanted in zip(gradients, first, strict=True):
        np.testing.assert_allclose(
            backend.to_numpy(actual), wanted.detach(), rtol=1e-12, atol=1e-14
        )
    if not first[0].requires_grad:
        return
    (second,) = torch.autograd.grad((first[0] ** 2).sum(), p, materialize_grads=True)
    second = second.numpy(force=True)
    actual = autodiff.grad(lambda x: xp.sum(autodiff.grad(total)(x, y) ** 2))(x)
    np.testing.assert_allclose(backend.to_numpy(actual), second, rtol=1e-9, atol=1e-13)
    direction = _put(backend, np.cos(prediction))
    _, tangent = autodiff.jvp(lambda x: total(x, y), (x,), (direction,))
    wanted = (first[0].detach().numpy() * np.cos(prediction)).sum()
    np.testing.assert_allclose(backend.to_numpy(tangent), wanted, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_logits_do_not_overflow(backend, dtype):
    if backend.name == "array_api_strict" and dtype == "float16":
        pytest.skip("the standard has no float16")
    logits = _put(backend, [[1e4, -1e4], [1e4, -1e4]], dtype)
    target = _put(backend, [[1, 0], [0, 1]], dtype)
    for loss, expected in (
        (CrossEntropyLoss(logits=True, reduction="none"), [0.0, 2e4]),
        (BinaryCrossEntropyLoss(logits=True, reduction="none"), [[0, 0], [1e4, 1e4]]),
    ):
        value = loss(logits, target)
        assert value.dtype == backend.dtype(dtype)
        np.testing.assert_allclose(backend.to_numpy(value), expected, rtol=1e-3)


def test_zero_times_the_logarithm_of_zero_is_zero(backend):
    certain = _put(backend, [[0.0, 1.0]])
    for epsilon in (None, 0.0):
        for loss in (CrossEntropyLoss(epsilon=epsilon), BinaryCrossEntropyLoss(epsilon=epsilon)):
            np.testing.assert_allclose(backend.to_numpy(loss(certain, certain)), 0.0, atol=1e-15)
            gradient = backend.to_numpy(autodiff.grad(loss)(certain, certain))
            assert np.all(np.isfinite(gradient))


def test_epsilon_is_by_default_that_of_the_dtype(backend):
    nothing, all_ = _put(backend, [[0.0]], "float32"), _put(backend, [[1.0]], "float32")
    value = CrossEntropyLoss()(nothing, all_)
    np.testing.assert_allclose(backend.to_numpy(value), 23 * math.log(2), rtol=1e-6)
    value = CrossEntropyLoss(epsilon=0.5)(nothing, all_)
    np.testing.assert_allclose(backend.to_numpy(value), math.log(2), rtol=1e-6)


def test_huber_is_flat_and_steep_where_it_should_be(backend):
    residual = _put(backend, [-3.0, -1.0, 0.0, 0.5, 1e4], "float32")
    zero = residual * 0.0
    gradient = autodiff.grad(HuberLoss(reduction="sum"))(residual, zero)
    np.testing.assert_allclose(backend.to_numpy(gradient), [-1, -1, 0, 0.5, 1], rtol=1e-6)


def test_a_loss_is_an_objective_of_training(backend):
    x, y = _put(backend, [[1.0, 2.0]]), _put(backend, [[3.0, 5.0]])

    def model(x, ps, st):
        return x * ps["scale"], {"calls": st["calls"] + 1}

    value, st, stats = MSELoss()(model, {"scale": 2.0}, {"calls": 0}, (x, y))
    np.testing.assert_allclose(backend.to_numpy(value), 1.0)
    assert st == {"calls": 1}
    assert stats == {}


def test_data_that_is_no_pair_is_refused(backend):
    x = _put(backend, np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"data is a pair \(x, target\): got a tuple"):
        MSELoss()(lambda x, ps, st: (x, st), {}, {}, (x, x, x))


@pytest.mark.parametrize(
    "loss",
    [MSELoss(), MAELoss(), HuberLoss(), CrossEntropyLoss(), BinaryCrossEntropyLoss()],
    ids=repr,
)
class TestBadInput:
    def test_shapes_must_agree_exactly(self, backend, loss):
        column, row = _put(backend, np.zeros((4, 1))), _put(backend, np.zeros(4))
        text = r"^prediction\.shape == target\.shape: \(4, 1\) != \(4,\)$"
        with pytest.raises(ShapeError, match=text):
            loss(column, row)

    def test_float64_meeting_float32_is_refused_with_the_mend(self, backend, loss):
        text = (
            r"target\.dtype == prediction\.dtype: float64 != float32: .*"
            r'pn\.astype\(target, "float32"\)'
        )
        with pytest.raises(DTypeError, match=text):
            loss(_put(backend, np.zeros((2, 3)), "float32"), _put(backend, np.zeros((2, 3))))

    def test_integers_are_refused_with_the_mend(self, backend, loss):
        integers, floats = _put(backend, np.ones((2, 3)), "int64"), _put(backend, np.ones((2, 3)))
        kind, text = DTypeError, r'target\.dtype is floating: int64: .*"float32"'
        if isinstance(loss, CrossEntropyLoss):
            kind = ShapeError
            text = (
                r"target\.shape == prediction\.shape without the axis of the 3 classes: "
                r"\(2, 3\) != \(2,\): integers are the labels of the samples"
            )
        with pytest.raises(kind, match=text):
            loss(floats, integers)
        with pytest.raises(DTypeError, match=r"prediction\.dtype is floating: int64"):
            loss(integers, integers)

    def test_a_mean_of_nothing_is_refused(self, backend, loss):
        nothing = _put(backend, np.zeros((0, 3)))
        with pytest.raises(ShapeError, match=r"prediction has entries to average: .*\(0, 3\)"):
            loss(nothing, nothing)
        total = type(loss)(reduction="sum")(nothing, nothing)
        np.testing.assert_array_equal(backend.to_numpy(total), 0.0)

    def test_two_libraries_are_refused(self, backend, loss):
        strict = pytest.importorskip("array_api_strict")
        if backend.name == "array_api_strict":
            pytest.skip("the other library is this one")
        with pytest.raises(BackendMismatchError, match="array_api_strict"):
            loss(_put(backend, np.zeros((2, 3))), strict.zeros((2, 3)))

    def test_the_repr_is_the_constructor_call(self, backend, loss):
        assert eval(repr(loss)) == loss

    def test_an_unknown_reduction_is_refused(self, backend, loss):
        text = r"reduction is one of 'mean', 'sum', 'none': got 'max'"
        with pytest.raises(HyperparameterError, match=text):
            type(loss)(reduction="max")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HuberLoss(delta=0.0), "HuberLoss: delta > 0: got 0.0"),
        (lambda: HuberLoss(delta=math.nan), "HuberLoss: delta is a finite number: got nan"),
        (
            lambda: CrossEntropyLoss(label_smoothing=1.5),
            "CrossEntropyLoss: 0 <= label_smoothing <= 1: got 1.5",
        ),
        (lambda: CrossEntropyLoss(axis=0.5), "CrossEntropyLoss: axis is an integer: got 0.5"),
        (lambda: CrossEntropyLoss(logits=1), "CrossEntropyLoss: logits is True or False: got 1"),
        (
            lambda: BinaryCrossEntropyLoss(epsilon=-1.0),
            "BinaryCrossEntropyLoss: epsilon >= 0: got -1.0",
        ),
    ],
)
def test_bad_hyperparameters_are_refused(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


def test_an_absent_class_axis_is_refused(backend):
    x = _put(backend, np.ones((2, 3)))
    text = r"-prediction\.ndim <= axis < prediction\.ndim: axis 2, prediction\.ndim 2"
    with pytest.raises(ShapeError, match=text):
        CrossEntropyLoss(axis=2)(x, x)


def test_a_third_argument_is_no_weight():
    x = np.ones((3, 1))
    with pytest.raises(ArgumentError, match="with a model, ps, st and data: got 3 arguments"):
        MSELoss()(x, x, x)
