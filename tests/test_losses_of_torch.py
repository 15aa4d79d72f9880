"""The losses beyond the commonest ones against torch, published numbers and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, HyperparameterError, IndexRangeError, ShapeError

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(6, 4)) * 2
SOFT = RNG.dirichlet(np.ones(4), size=6)
LABELS = np.asarray([0, 3, 1, 2, 1, 0])
SIGNS = np.where(RNG.uniform(size=(6, 4)) < 0.5, -1.0, 1.0)
POSITIVE = RNG.uniform(0.2, 3.0, size=(6, 4))
OTHER = RNG.normal(size=(6, 4))
THIRD = RNG.normal(size=(6, 4))
WEIGHTS = (0.5, 2.0, 1.0, 0.25)
LABELS_WANTED = "target.dtype is an integer: float64: convert it with xp.astype(target, xp.int64)"
few = hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)

COLUMN = np.exp([0.0, 1.0, 2.0]) / np.sum(np.exp([0.0, 1.0, 2.0]))
SIXTH = np.exp([1.0, 0.0]) / np.sum(np.exp([1.0, 0.0]))
BINARY = np.asarray([[SIXTH[1], 0.5, SIXTH[1]], [SIXTH[0], 0.5, SIXTH[0]]])


def put(backend, tree):
    return pn.device(backend.place)(tree)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "expected"),
    [
        (pn.MSLELoss(), [1.1, 2.2, 3.3], [1.0, 2.0, 3.0], 0.009084041),
        (pn.MSLELoss(), [0.9, 1.8, 2.7], [1.0, 2.0, 3.0], 0.011100831),
        (pn.HingeLoss(), [0.1, 0.3, 1, 1.5], [1.0, -1, 1, 1], 0.55),
        (pn.SquaredHingeLoss(), [0.1, 0.3, 1, 1.5], [1.0, -1, 1, 1], 0.625),
        (pn.PoissonLoss(), [1.0, 3, 3], [1.0, 2, 3], 0.502312852),
        (pn.SiameseContrastiveLoss(), [0.5, 1.5, 2.5], [1.0, 2, 3], -4.833333),
        (pn.SiameseContrastiveLoss(margin=2), [0.5, 1.5, 2.5], [1.0, 2, 3], -4.0),
        (pn.DiceLoss(), [1.1, 2.1, 3.1], [1.0, 2, 3], 0.000992391664),
        (pn.DiceLoss(), [[1.1, 2.1, 3.1]], [[1.0, 2, 3]], 0.000992391664),
        (pn.BinaryFocalLoss(), BINARY, [[0.0, 1, 0], [1, 0, 1]], 0.0728675616),
        (pn.FocalLoss(), np.tile(COLUMN, (5, 1)), np.eye(3)[[0, 1, 2, 1, 0]], 1.1277556),
        (pn.KLDivergenceLoss(), np.full((2, 2), 0.5), np.eye(2), math.log(2)),
    ],
    ids=lambda x: repr(x) if isinstance(x, pn.losses.Loss) else "",
)
def test_the_numbers_that_lux_prints(backend, loss, prediction, target, expected):
    for dtype in ("float32", "float64"):
        pair = (np.asarray(x, dtype) for x in (prediction, target))
        value = loss(*put(backend, tuple(pair)))
        np.testing.assert_allclose(backend.to_numpy(value), expected, rtol=3e-6)


def test_a_class_that_is_ruled_out_has_an_infinite_divergence(backend):
    pair = put(backend, (np.eye(2), np.full((2, 2), 0.5)))
    with np.errstate(divide="ignore"):
        assert float(pn.KLDivergenceLoss(epsilon=0.0)(*pair)) == math.inf


def test_focal_losses_are_cross_entropies_without_a_discount(backend):
    pair = put(backend, (BINARY, np.asarray([[0.0, 1, 0], [1, 0, 1]])))
    for focal, plain in (
        (pn.BinaryFocalLoss(gamma=0), pn.BinaryCrossEntropyLoss()),
        (pn.FocalLoss(gamma=0), pn.CrossEntropyLoss()),
    ):
        actual, expected = focal(*pair), plain(*pair)
        np.testing.assert_allclose(*map(backend.to_numpy, (actual, expected)), rtol=1e-12)


def _oracles(t):
    f = t.nn.functional
    weights = t.tensor(WEIGHTS, dtype=t.float64)
    ignored = np.where(LABELS == 1, -7, LABELS)

    def one_way(x, y, reduction):
        scores = f.cosine_similarity(x[:, None], y[None], dim=-1) / 0.3
        return f.cross_entropy(scores, t.arange(len(x)), reduction=reduction)

    def cross_entropy(**options):
        return lambda x, y, **reduction: f.cross_entropy(x, y, **options, **reduction)

    def ours(**options):
        return lambda **reduction: pn.CrossEntropyLoss(logits=True, **options, **reduction)

    return {
        "labels": (ours(), cross_entropy(), SCORES, LABELS),
        "labels, smooth": (
            ours(label_smoothing=0.2), cross_entropy(label_smoothing=0.2), SCORES, LABELS
        ),
        "labels, weights, smooth": (
            ours(label_smoothing=0.2, class_weights=WEIGHTS),
            cross_entropy(label_smoothing=0.2, weight=weights), SCORES, LABELS,
        ),
        "labels, ignored": (
            ours(ignore_index=-7, label_smoothing=0.2),
            cross_entropy(ignore_index=-7, label_smoothing=0.2), SCORES, ignored,
        ),
        "labels, weights, ignored": (
            ours(ignore_index=3, class_weights=WEIGHTS),
            cross_entropy(ignore_index=3, weight=weights), SCORES, LABELS,
        ),
        "weights": (
            ours(class_weights=WEIGHTS), cross_entropy(weight=weights), SCORES, SOFT
        ),
        "labels of images": (
            ours(axis=1),
            cross_entropy(), SCORES.reshape(2, 3, 2, 2), np.asarray([[[0, 1], [2, 2]]] * 2),
        ),
        "divergence": (
            lambda **o: pn.KLDivergenceLoss(logits=True, **o),
            lambda x, y, reduction: _reduced(
                f.kl_div(x.log_softmax(-1), y, reduction="none").sum(-1), reduction
            ),
            SCORES, SOFT,
        ),
        "poisson": (
            lambda **o: pn.PoissonLoss(epsilon=1e-8, **o),
            lambda x, y, **o: f.poisson_nll_loss(x, y, log_input=False, **o), POSITIVE, OTHER**2,
        ),
        "poisson of logarithms": (
            lambda **o: pn.PoissonLoss(log_input=True, **o), f.poisson_nll_loss, SCORES, OTHER**2
        ),
        "gaussian": (
            lambda **o: pn.GaussianNLLLoss(full=True, **o),
            lambda x, y, **o: f.gaussian_nll_loss(x[0], y, x[1], full=True, **o),
            (SCORES, POSITIVE), OTHER,
        ),
        "hinge": (
            lambda **o: pn.HingeLoss(**o),
            lambda x, y, reduction: _reduced((1 - x * y).clamp(min=0), reduction), SCORES, SIGNS,
        ),
        "squared hinge": (
            lambda **o: pn.SquaredHingeLoss(**o),
            lambda x, y, reduction: _reduced((1 - x * y).clamp(min=0) ** 2, reduction),
            SCORES, SIGNS,
        ),
        "cosine": (
            lambda **o: pn.CosineEmbeddingLoss(margin=-0.2, **o),
            lambda x, y, **o: f.cosine_embedding_loss(*x, y, margin=-0.2, **o),
            (SCORES, OTHER), SIGNS[:, 0],
        ),
        "triplet": (
            lambda **o: pn.TripletMarginLoss(**o),
            lambda x, y, **o: f.triplet_margin_loss(x, *y, **o), SCORES, (OTHER, THIRD),
        ),
        "triplet, swapped, first norm": (
            lambda **o: pn.TripletMarginLoss(margin=2.0, p=1.0, swap=True, **o),
            lambda x, y, **o: f.triplet_margin_loss(x, *y, margin=2.0, p=1.0, swap=True, **o),
            SCORES, (OTHER, THIRD),
        ),
        "smooth L1": (
            lambda **o: pn.SmoothL1Loss(beta=0.7, **o),
            lambda x, y, **o: f.smooth_l1_loss(x, y, beta=0.7, **o), SCORES, OTHER,
        ),
        "soft margin": (
            lambda **o: pn.SoftMarginLoss(**o), f.soft_margin_loss, SCORES, SIGNS
        ),
        "multi-margin": (
            lambda **o: pn.MultiMarginLoss(**o), f.multi_margin_loss, SCORES, LABELS
        ),
        "multi-margin, squares, weights": (
            lambda **o: pn.MultiMarginLoss(margin=0.5, power=2, class_weights=WEIGHTS, **o),
            lambda x, y, **o: f.multi_margin_loss(x, y, p=2, margin=0.5, weight=weights, **o),
            SCORES, LABELS,
        ),
        "likelihood": (lambda **o: pn.NLLLoss(**o), f.nll_loss, SCORES, LABELS),
        "likelihood, weights, ignored": (
            lambda **o: pn.NLLLoss(class_weights=WEIGHTS, ignore_index=3, **o),
            lambda x, y, **o: f.nll_loss(x, y, weight=weights, ignore_index=3, **o),
            SCORES, LABELS,
        ),
        "likelihood of images": (
            lambda **o: pn.NLLLoss(axis=1, **o), f.nll_loss,
            SCORES.reshape(2, 3, 2, 2), np.asarray([[[0, 1], [2, 2]]] * 2),
        ),
        "binary, positive weight": (
            lambda **o: pn.BinaryCrossEntropyLoss(logits=True, pos_weight=2.5, **o),
            lambda x, y, **o: f.binary_cross_entropy_with_logits(
                x, y, pos_weight=t.tensor(2.5, dtype=t.float64), **o
            ),
            SCORES, SOFT,
        ),
        "binary, positive weights": (
            lambda **o: pn.BinaryCrossEntropyLoss(logits=True, pos_weight=WEIGHTS, **o),
            lambda x, y, **o: f.binary_cross_entropy_with_logits(x, y, pos_weight=weights, **o),
            SCORES, SOFT,
        ),
        "contrast": (lambda **o: pn.InfoNCELoss(temperature=0.3, **o), one_way, SCORES, OTHER),
    }  # fmt: skip


def _reduced(values, reduction):
    return {"mean": values.mean, "sum": values.sum, "none": lambda: values}[reduction]()


@pytest.mark.parametrize("name", [
    "labels", "labels, smooth", "labels, weights, smooth", "labels, ignored",
    "labels, weights, ignored", "weights", "labels of images", "divergence", "poisson",
    "poisson of logarithms", "gaussian", "hinge", "squared hinge", "cosine", "triplet",
    "triplet, swapped, first norm", "contrast", "smooth L1", "soft margin", "multi-margin",
    "multi-margin, squares, weights", "likelihood", "likelihood, weights, ignored",
    "likelihood of images", "binary, positive weight", "binary, positive weights",
])  # fmt: skip
def test_values_and_derivatives_are_those_of_torch(backend, name):
    torch = pytest.importorskip("torch")
    if backend.name == "jax":
        pytest.skip("held to the numbers of NumPy by the contract tests")
    make, oracle, prediction, target = _oracles(torch)[name]
    trees = pn.trees

    def tensors(tree, grad):
        return trees.map_leaves(lambda x: torch.tensor(x, requires_grad=grad), tree)

    x, y = put(backend, (prediction, target))
    for reduction in ("mean", "sum", "none"):
        p, t = tensors(prediction, True), tensors(target, False)
        expected = oracle(p, t, reduction=reduction)
        slopes = torch.autograd.grad(expected.sum(), trees.leaves(p))
        loss = make(reduction=reduction)
        value, gradient = pn.value_and_grad(lambda x, f=loss: backend.xp.sum(f(x, y)))(x)
        np.testing.assert_allclose(
            backend.to_numpy(value), expected.detach().numpy().sum(), rtol=1e-11
        )
        assert tuple(loss(x, y).shape) == tuple(expected.shape)
        for actual, wanted in zip(trees.leaves(gradient), slopes, strict=True):
            np.testing.assert_allclose(
                backend.to_numpy(actual), wanted.numpy(), rtol=1e-10, atol=1e-12
            )


def test_the_whole_likelihood_of_counts_is_that_of_scipy(backend):
    stats = pytest.importorskip("scipy.stats")
    counts = np.asarray([[0.0, 1.0, 2.0, 7.0], [30.0, 5.0, 0.0, 170.0]])
    rates = np.asarray([[0.3, 1.0, 2.5, 4.0], [28.0, 9.0, 1.0, 150.0]])
    expected = -stats.poisson.logpmf(counts, rates)
    for options, given in (({"epsilon": 0.0}, rates), ({"log_input": True}, np.log(rates))):
        loss = pn.PoissonLoss(full=True, reduction="none", **options)
        values = loss(*put(backend, (given, counts)))
        np.testing.assert_allclose(backend.to_numpy(values), expected, rtol=1e-11)


@pytest.mark.parametrize("weight", [3.0, (0.5, 2.0, 1.0, 0.0)])
def test_weights_of_the_second_class_are_the_same_for_probabilities_and_scores(backend, weight):
    scores, target = put(backend, (SCORES, SOFT))
    logits = pn.BinaryCrossEntropyLoss(logits=True, pos_weight=weight, reduction="none")
    plain = pn.BinaryCrossEntropyLoss(pos_weight=weight, epsilon=0.0, reduction="none")
    np.testing.assert_allclose(
        backend.to_numpy(plain(pn.sigmoid(scores), target)),
        backend.to_numpy(logits(scores, target)),
        rtol=1e-11,
    )


def test_labels_that_no_path_gives_count_for_nothing(backend):
    torch = pytest.importorskip("torch")
    labels = np.asarray([[1, 1, 1], [2, -1, -1]])  # the first one takes five steps
    scores, target = put(backend, (RNG.normal(size=(2, 4, 4)), labels))
    for reduction in ("sum", "none"):
        loss = pn.CTCLoss(zero_infinity=True, reduction=reduction)
        value, slope = pn.value_and_grad(lambda x, f=loss: backend.xp.sum(f(x, target)))(scores)
        given = torch.tensor(backend.to_numpy(scores), requires_grad=True)
        expected = torch.nn.functional.ctc_loss(
            given.log_softmax(-1).transpose(0, 1), torch.tensor(labels), [4, 4], [3, 1],
            reduction="sum", zero_infinity=True,
        )  # fmt: skip
        expected.backward()
        np.testing.assert_allclose(float(value), float(expected.detach()), rtol=1e-11)
        np.testing.assert_allclose(backend.to_numpy(slope), given.grad.numpy(), atol=1e-12)
    assert np.isinf(backend.to_numpy(pn.CTCLoss(reduction="none")(scores, target))[0])


def test_labels_are_one_hot_targets(backend):
    scores, labels, hot = put(backend, (SCORES, LABELS, np.eye(4)[LABELS]))
    for loss in (pn.CrossEntropyLoss(logits=True), pn.FocalLoss(logits=True)):
        expected = backend.to_numpy(loss(scores, hot))
        np.testing.assert_allclose(backend.to_numpy(loss(scores, labels)), expected, rtol=1e-13)


def test_classes_that_are_ruled_out_have_a_score_of_minus_infinity(backend):
    scores = np.where(np.eye(4, k=1)[LABELS % 3] > 0, -np.inf, SCORES)
    x, labels = put(backend, (scores, LABELS % 3))
    for reduction in ("mean", "none"):
        loss = pn.CrossEntropyLoss(logits=True, reduction=reduction)
        value, slope = pn.value_and_grad(lambda x, f=loss: backend.xp.sum(f(x, labels)))(x)
        rest = np.sum(np.exp(np.where(np.isinf(scores), -np.inf, scores)), axis=1)
        own = np.take_along_axis(scores, (LABELS % 3)[:, None], axis=1)[:, 0]
        values = np.log(rest) - own
        expected = values.mean() if reduction == "mean" else values.sum()
        np.testing.assert_allclose(backend.to_numpy(value), expected, rtol=1e-12)
        assert np.all(np.isfinite(backend.to_numpy(slope)))


def test_ignored_samples_alone_have_a_mean_of_zero(backend):
    scores, labels = put(backend, (SCORES, np.full(6, -100)))
    loss = pn.CrossEntropyLoss(logits=True, ignore_index=-100)
    value, gradient = pn.value_and_grad(loss)(scores, labels)
    assert float(value) == 0.0
    assert np.all(backend.to_numpy(gradient) == 0.0)


@pytest.mark.parametrize("wrong", [4, -1])
@pytest.mark.parametrize(
    "make",
    [
        lambda **rest: pn.CrossEntropyLoss(logits=True, **rest),
        lambda **rest: pn.CrossEntropyLoss(logits=True, ignore_index=-100, **rest),
        lambda **rest: pn.FocalLoss(logits=True, **rest),
        lambda **rest: pn.NLLLoss(ignore_index=-100, **rest),
        lambda **rest: pn.MultiMarginLoss(**rest),
    ],
)
def test_a_label_of_no_class_is_refused(backend, make, wrong):
    scores, labels = put(backend, (SCORES, np.asarray([0, 1, wrong, 2, 3, 0])))
    if "cpu" in str(backend.device).lower():
        text = rf"^0 <= target < classes: target has {wrong}, classes is 4"
        for run in (make(), pn.value_and_grad(make())):
            with pytest.raises(IndexRangeError, match=text):
                run(scores, labels)
    if backend.name == "jax":  # whose programs cannot raise
        values = backend.to_numpy(pn.jit(make(reduction="none"))(scores, labels))
        np.testing.assert_array_equal(np.isnan(values), np.arange(6) == 2)


def test_overlaps_are_those_of_plain_loops(backend):
    p, t = RNG.uniform(size=(3, 2, 4)), RNG.integers(0, 2, size=(3, 2, 4)).astype(float)
    pair = put(backend, (p, t))
    tversky, dice = [], []
    for x, y in zip(p.reshape(3, -1), t.reshape(3, -1), strict=True):
        hit = sum(a * b for a, b in zip(x, y, strict=True))
        false = sum(a * (1 - b) for a, b in zip(x, y, strict=True))
        missed = sum((1 - a) * b for a, b in zip(x, y, strict=True))
        tversky.append(1 - (hit + 0.5) / (hit + 0.2 * false + 0.8 * missed + 0.5))
        dice.append(1 - (2 * hit + 0.5) / (np.sum(x**2) + np.sum(y**2) + 0.5))
    for kind, expected in ((pn.DiceLoss, dice), (pn.TverskyLoss, tversky)):
        options = {"beta": 0.8} if kind is pn.TverskyLoss else {}
        actual = kind(smooth=0.5, reduction="none", **options)(*pair)
        np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=1e-12)


def test_parallel_vectors_and_zeros_have_finite_slopes(backend):
    x, y = put(backend, (np.asarray([[0.0, 0.0], [1.0, 2.0]]), np.asarray([[1.0, 0], [2, 4]])))
    value, slope = pn.value_and_grad(
        lambda x: backend.xp.sum(pn.functional.cosine_similarity(x, y))
    )(x)
    np.testing.assert_allclose(backend.to_numpy(value), 1.0, rtol=1e-14)
    assert np.all(np.isfinite(backend.to_numpy(slope)))


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "error", "text"),
    [
        (pn.CrossEntropyLoss(class_weights=(1.0, 2.0)), SOFT, SOFT, ShapeError,
         "len(class_weights) == prediction.shape[-1]: 2 != 4"),
        (pn.CrossEntropyLoss(ignore_index=0), SOFT, SOFT, DTypeError,
         "target.dtype is an integer: ignore_index is a label: give the target as labels, or leave "
         "ignore_index out"),
        (pn.FocalLoss(), SOFT, LABELS[:2], ShapeError,
         "target.shape == prediction.shape without the axis of the 4 classes: (2,) != (6,): "
         "integers are the labels of the samples"),
        (pn.NLLLoss(), SOFT, SOFT, DTypeError, LABELS_WANTED),
        (pn.MultiMarginLoss(), SOFT, SOFT, DTypeError, LABELS_WANTED),
        (pn.BinaryCrossEntropyLoss(pos_weight=(1.0, 2.0)), SOFT, SOFT, ShapeError,
         "prediction.shape[-1:] == (2,), the number of pos_weight: (4,) != (2,)"),
        (pn.GaussianNLLLoss(), SOFT, SOFT, ShapeError,
         "prediction is a tuple (mean, variance): got a ndarray"),
        (pn.GaussianNLLLoss(), (SOFT, SOFT[:2]), SOFT, ShapeError,
         "variance.shape == target.shape: (2, 4) != (6, 4)"),
        (pn.TripletMarginLoss(), SOFT, (SOFT,), ShapeError,
         "target is a tuple (positive, negative): got 1 entries"),
        (pn.CosineEmbeddingLoss(), (SOFT, SOFT), SOFT, ShapeError,
         "target.shape == first.shape[:-1]: (6, 4) != (6,)"),
        (pn.InfoNCELoss(), SOFT[0], SOFT[0], ShapeError,
         "prediction.ndim == 2: 1 != 2: it has one vector a query"),
        (pn.CTCLoss(), SOFT, LABELS, ShapeError,
         "prediction.ndim == 3: 2 != 3: its shape is (N, steps, classes)"),
        (pn.CTCLoss(), SOFT[None], LABELS, ShapeError,
         "target.shape == (N, length): (6,), where prediction has N == 1"),
        (pn.CTCLoss(blank=4), SOFT[None], LABELS[None], ShapeError,
         "-classes <= blank < classes: blank 4, classes 4"),
        (pn.CTCLoss(), SOFT[None], (LABELS[None], LABELS), ShapeError,
         "steps.shape == (N,): (6,) != (1,)"),
        (pn.CTCLoss(), SOFT[None, :0], LABELS[None], ShapeError,
         "steps >= 1: prediction.shape is (1, 0, 4)"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, pn.losses.Loss) else "",
)  # fmt: skip
def test_bad_arrays(loss, prediction, target, error, text):
    with pytest.raises(error) as caught:
        loss(prediction, target)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.CrossEntropyLoss(class_weights=(1.0, -1.0)),
         "CrossEntropyLoss: class_weights is a sequence of finite numbers >= 0: got (1.0, -1.0)"),
        (lambda: pn.CrossEntropyLoss(class_weights="12"),
         "CrossEntropyLoss: class_weights is a sequence of finite numbers >= 0: got '12'"),
        (lambda: pn.SiameseContrastiveLoss(margin=-1.0),
         "SiameseContrastiveLoss: margin >= 0: got -1.0"),
        (lambda: pn.TverskyLoss(beta=1.5), "TverskyLoss: 0 <= beta <= 1: got 1.5"),
        (lambda: pn.InfoNCELoss(temperature=0.0), "InfoNCELoss: temperature > 0: got 0.0"),
        (lambda: pn.TripletMarginLoss(p=0.5), "TripletMarginLoss: p >= 1: got 0.5"),
        (lambda: pn.CosineEmbeddingLoss(margin=2.0),
         "CosineEmbeddingLoss: -1 <= margin <= 1: got 2.0"),
        (lambda: pn.GenericLoss("mse"), "GenericLoss: function is a function: got 'mse'"),
        (lambda: pn.SmoothL1Loss(beta=0.0), "SmoothL1Loss: beta > 0: got 0.0"),
        (lambda: pn.MultiMarginLoss(power=3), "MultiMarginLoss: power is one of 1, 2: got 3"),
        (lambda: pn.BinaryCrossEntropyLoss(pos_weight=-1.0),
         "BinaryCrossEntropyLoss: pos_weight >= 0: got -1.0"),
        (lambda: pn.BinaryCrossEntropyLoss(pos_weight=[1.0, -1.0]),
         "BinaryCrossEntropyLoss: pos_weight is a sequence of finite numbers >= 0: "
         "got [1.0, -1.0]"),
        (lambda: pn.FocalLoss(gamma=-1.0), "FocalLoss: gamma >= 0: got -1.0"),
    ],
)  # fmt: skip
def test_bad_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


def _enumerated(probabilities, labels, blank):
    """Sum the probabilities of all paths that give the labels."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in np.ndindex(*(classes,) * steps):
        merged = [k for i, k in enumerate(path) if i == 0 or path[i - 1] != k]
        if [k for k in merged if k != blank] == list(labels):
            total += math.prod(probabilities[i, k] for i, k in enumerate(path))
    return total


@few
@hypothesis.given(
    steps=st.integers(1, 5), labels=st.lists(st.integers(1, 2), max_size=3), seed=st.integers(0, 99)
)
def test_ctc_is_the_sum_over_all_paths(steps, labels, seed):
    scores = np.random.default_rng(seed).normal(size=(1, steps, 3))
    probabilities = np.exp(scores[0]) / np.exp(scores[0]).sum(axis=1, keepdims=True)
    expected = _enumerated(probabilities, labels, 0)
    padded = np.asarray([[*labels, -1, -1]])
    value = pn.functional.ctc_loss(scores, padded)[0]
    if expected == 0:
        assert value == np.inf
    else:
        np.testing.assert_allclose(value, -math.log(expected), rtol=1e-12)
    moved = pn.functional.ctc_loss(
        np.roll(scores, -1, axis=2), np.where(padded < 0, -1, padded - 1), blank=-1
    )
    np.testing.assert_allclose(moved, value, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ctc_and_its_gradient_are_torchs(backend, dtype):
    torch = pytest.importorskip("torch")
    if backend.name == "jax" and dtype == "float32":
        pytest.skip("compiled in float64 alone")
    rng = np.random.default_rng(0)
    scores = (3 * rng.normal(size=(4, 7, 5))).astype(dtype)
    labels = np.asarray([[1, 1, 2, 4], [3, -1, -1, -1], [-1, -1, -1, -1], [4, 3, -1, -1]])
    steps, counts = np.asarray([7, 5, 3, 2]), np.asarray([4, 1, 0, 2])
    x = torch.tensor(scores, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        x.log_softmax(-1).transpose(0, 1), torch.tensor(np.maximum(labels, 0)),
        torch.tensor(steps), torch.tensor(counts), reduction="none",
    )  # fmt: skip
    (slopes,) = torch.autograd.grad(expected.sum(), x)
    a, b, c = put(backend, (scores, labels, steps))
    run = pn.jit(lambda a: pn.value_and_grad(pn.CTCLoss(reduction="sum"))(a, (b, c)))
    rtol = {"float32": 2e-5, "float64": 1e-11}[dtype]
    for value, gradient in (run(a), run(a)):
        np.testing.assert_allclose(
            backend.to_numpy(value), expected.sum().detach().numpy(), rtol=rtol
        )
        np.testing.assert_allclose(backend.to_numpy(gradient), slopes.numpy(), rtol=0, atol=rtol)


def test_ctc_says_what_is_wrong_with_a_sample(backend):
    scores = RNG.normal(size=(6, 3, 4))
    scores[5, 1, 1:] = -np.inf
    labels = np.asarray([[1, 2], [1, 0], [0, 1], [-1, 1], [2, 2], [1, -1]])
    a, b = put(backend, (scores, labels))

    def run(a):
        values = pn.functional.ctc_loss(a, b)
        return backend.xp.sum(values), values

    (_, values), slopes = pn.jit(pn.value_and_grad(run, has_aux=True))(a)
    values = backend.to_numpy(values)
    np.testing.assert_array_equal(np.isnan(values), [0, 1, 1, 1, 0, 0])
    assert np.all(np.isfinite(values[[0, 4, 5]]))
    short = pn.functional.ctc_loss(*put(backend, (scores[4:5, :2], labels[4:5])))
    assert float(short[0]) == np.inf
    if "cpu" in str(backend.device).lower():
        with pytest.raises(IndexRangeError, match=r"^0 <= labels < classes: labels has 4"):
            pn.functional.ctc_loss(a, b + 2)
    assert np.all(np.isfinite(backend.to_numpy(slopes)))
