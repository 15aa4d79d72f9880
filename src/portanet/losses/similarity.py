"""Losses of distances between embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.errors import ArgumentError, ShapeError
from portanet.functional import cosine_similarity, logsumexp
from portanet.losses._base import Loss, Reduction, check_pair, parts


@dataclass(frozen=True, kw_only=True)
class SiameseContrastiveLoss(Loss):
    """Contrastive loss of distances: alike pairs come near, others go beyond a margin [1]_.

    ``(1 - target) * prediction**2 + target * max(0, margin - prediction)**2`` for each element,
    where the prediction is a distance and the target is 0 for alike pairs, 1 for others.

    Parameters
    ----------
    margin : float, default 1
        From 0 up.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality Reduction by Learning an Invariant
       Mapping", CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.SiameseContrastiveLoss(reduction="none")
    >>> print(loss(np.asarray([0.5, 0.75, 3.0]), np.asarray([0.0, 1.0, 1.0])))
    [0.25   0.0625 0.    ]
    """

    margin: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "margin")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        short = xp.maximum(self.margin - prediction, 0.0)
        return (1.0 - target) * xp.square(prediction) + target * xp.square(short)


@dataclass(frozen=True, kw_only=True)
class CosineEmbeddingLoss(Loss):
    """Cosine distance of pairs that are alike, and cosine similarity of others.

    For each pair of vectors ``1 - cos`` where the target is 1, and ``max(0, cos - margin)`` where
    it is -1.

    The prediction is a tuple ``(first, second)`` of two arrays of vectors along the last axis, as
    from `Parallel`; the target is an array of 1 and -1, integers or floats, without that axis.

    Parameters
    ----------
    margin : float, default 0
        From -1 to 1: how similar other vectors may be.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the pairs.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> first, second = np.asarray([[1.0, 0.0], [1.0, 0.0]]), np.asarray([[0.0, 2.0], [3.0, 4.0]])
    >>> loss = pn.CosineEmbeddingLoss(reduction="none")
    >>> print(loss((first, second), np.asarray([1, -1])))
    [1.  0.6]
    """

    margin: float = 0.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.finite(self, "margin")
        if not -1 <= self.margin <= 1:
            checks.refuse(self, "-1 <= margin <= 1", self.margin)

    def check(self, prediction: Any, target: Any) -> None:
        first, second = parts("prediction", prediction, ("first", "second"))
        check_pair("first", first, "second", second)
        checks.rank_at_least("first", first, 1)
        checks.shape_of("target", target, first.shape[:-1], "first.shape[:-1]")
        checks.same_device("target", target, "first", first)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        cosine = cosine_similarity(*prediction)
        return xp.where(target > 0, 1.0 - cosine, xp.maximum(cosine - self.margin, 0.0))


@dataclass(frozen=True, kw_only=True)
class TripletMarginLoss(Loss):
    """Distance to a vector that is alike, which should be less than to one that is not [1]_.

    ``max(0, distance(anchor, positive) - distance(anchor, negative) + margin)`` for each anchor,
    with ``distance(x, y) = ‖x - y + epsilon‖_p``.

    The prediction is the array of anchors, vectors along the last axis; the target is a tuple
    ``(positive, negative)`` of two arrays of the same shape. In an objective of training all three
    are outputs of the model: ``loss(anchor, (positive, negative))``.

    Parameters
    ----------
    margin : float, default 1
        From 0 up.
    p : float, default 2
        The norm, from 1 up.
    swap : bool, default False
        Whether the distance of the negative from the positive counts where it is less than that
        from the anchor [2]_.
    epsilon : float, default 1e-6
        Keeps the derivative of a distance of 0 finite, from 0 up.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the anchors.

    References
    ----------
    .. [1] F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face
       Recognition and Clustering", CVPR 2015.
    .. [2] V. Balntas, E. Riba, D. Ponsa, K. Mikolajczyk, "Learning Local Feature Descriptors with
       Triplets and Shallow Convolutional Neural Networks", BMVC 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> anchor, positive = np.asarray([[0.0, 0.0]]), np.asarray([[3.0, 4.0]])
    >>> negative = np.asarray([[0.0, 2.0]])
    >>> print(pn.TripletMarginLoss()(anchor, (positive, negative)).round(4))
    4.0
    """

    margin: float = 1.0
    p: float = 2.0
    swap: bool = False
    epsilon: float = 1e-6
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "margin", "epsilon")
        checks.finite(self, "p")
        if not self.p >= 1:
            checks.refuse(self, "p >= 1", self.p)
        checks.flags(self, "swap")

    def check(self, prediction: Any, target: Any) -> None:
        names = ("positive", "negative")
        for name, x in zip(names, parts("target", target, names), strict=True):
            check_pair("prediction", prediction, name, x)
        checks.rank_at_least("prediction", prediction, 1)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        positive, negative = target
        far = self._distance(xp, prediction, negative)
        if self.swap:
            far = xp.minimum(far, self._distance(xp, positive, negative))
        near = self._distance(xp, prediction, positive)
        return xp.maximum(near - far + self.margin, 0.0)

    def _distance(self, xp: Any, x: Any, y: Any) -> Any:
        difference = x - y + self.epsilon
        if self.p == 2:
            return xp.sqrt(xp.sum(xp.square(difference), axis=-1))
        return xp.sum(xp.abs(difference) ** self.p, axis=-1) ** (1.0 / self.p)


@dataclass(frozen=True, kw_only=True)
class InfoNCELoss(Loss):
    """Noise-contrastive loss: each query should find its key among those of the batch [1]_.

    With ``s[i, j] = cos(prediction[i], target[j]) / temperature``:
    ``logsumexp(s[i, :]) - s[i, i]`` for each query.

    Prediction and target are arrays of shape (N, features), queries and their keys.

    Parameters
    ----------
    temperature : float, default 0.07
        Above 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the queries.

    References
    ----------
    .. [1] A. van den Oord, Y. Li, O. Vinyals, "Representation Learning with Contrastive Predictive
       Coding", arXiv:1807.03748.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.InfoNCELoss(temperature=1.0)
    >>> print(loss(np.eye(2), np.eye(2)).round(6), np.log1p(np.exp(-1.0)).round(6))
    0.313262 0.313262
    """

    temperature: float = 0.07
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.positive(self, "temperature")

    def check(self, prediction: Any, target: Any) -> None:
        super().check(prediction, target)
        if len(prediction.shape) != 2:
            raise ShapeError(
                f"prediction.ndim == 2: {len(prediction.shape)} != 2: it has one vector a query"
            )

    def _of_kept(self, xp: Any, prediction: Any, target: Any, mask: Any) -> Any:
        raise ArgumentError(
            "InfoNCELoss compares the samples of a batch with each other: use drop_last=True "
            "instead of pad=True"
        )

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if not prediction.shape[0]:
            return cosine_similarity(prediction, target)
        rows, columns = xp.expand_dims(prediction, axis=1), xp.expand_dims(target, axis=0)
        scores = cosine_similarity(rows, columns) * (1.0 / self.temperature)
        own = cosine_similarity(prediction, target) * (1.0 / self.temperature)
        return logsumexp(scores, axis=-1) - own
