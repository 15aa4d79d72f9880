"""Layers that turn indices into features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional.indices import indices_below
from portanet.functional.linear.embedding import bag_of_rows, rows_at
from portanet.initializers import normal
from portanet.interface import array_namespace


@dataclass(frozen=True)
class Embedding(Layer):
    """A table of features, one row for each entry of a vocabulary.

    Parameters
    ----------
    vocabulary : int or tuple of int
        How many rows the table has; several numbers for a table with several axes of rows.
    features : int
        How long a row is.
    padding_index : int, optional
        An index that stands for nothing: its features are zero, whatever its row holds, and its
        row gets no gradient.
    init_weight : initializer, optional
        By default the standard normal distribution, as in PyTorch and Flux. (Lux draws from
        [0, 1), which makes all features positive.) The row of `padding_index` begins as zeros.

    Notes
    -----
    Input: integer array of any shape, with entries from 0 to ``vocabulary - 1``; negative ones do
    not count from the end. A boolean array of shape (..., vocabulary) is taken for one-hot
    vectors, and for a table with several axes of rows the input is a tuple of integer arrays of
    one shape. Output: ``(*x.shape, features)``.

    Parameter tree: ``weight`` (vocabulary, features), or ``(*vocabulary, features)``. State tree:
    empty.

    An index outside the vocabulary is refused where looking at it is free: on the host. On an
    accelerator the check would wait for the device, and the library's own behaviour applies.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or `init_weight` cannot be called.
    DTypeError
        In the call, if the indices are not integers.
    ShapeError
        In the call, if an index lies outside the vocabulary, or the arrays of a tuple are not as
        many as the table's axes, or of different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Embedding(100, 8)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[1, 2, 3], [4, 5, 6]]), ps, st)[0].shape
    (2, 3, 8)
    """

    vocabulary: checks.Sizes
    features: int
    _: KW_ONLY
    padding_index: int | None = None
    init_weight: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        several = not isinstance(self.vocabulary, Integral)
        (checks.sizes if several else checks.integers)(self, "vocabulary")
        checks.integers(self, "features")
        if self.padding_index is not None and several:
            checks.refuse(self, "padding_index needs one vocabulary", self.vocabulary)
        _check_padding(self)
        checks.optional_functions(self, "init_weight")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_table(self, rng, self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        several = isinstance(self.vocabulary, tuple)
        return (*(self.vocabulary if several else (self.vocabulary,)), self.features)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        weight = checks.member(ps, "weight", self._shape, "(vocabulary, features)")
        if isinstance(self.vocabulary, tuple):
            x = self._joined(x, weight)
            weight = array_namespace(weight).reshape(weight, (-1, self.features))
        elif _is_boolean(x):
            x = self._indices(x)
        else:
            x = _indices("x", x, weight, self.vocabulary, "vocabulary")
        y = rows_at(x, weight)
        if self.padding_index is not None:
            xp = array_namespace(x, weight)
            y = xp.where(xp.expand_dims(x == self.padding_index, axis=-1), 0.0, y)
        return y, st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        if isinstance(self.vocabulary, tuple):
            input_shape = input_shape[0]
        return (*input_shape, self.features)

    def _indices(self, x: Any) -> Any:
        """Return where the one-hot vectors `x` are true."""
        checks.last_axis("x", x, self.vocabulary, "vocabulary")
        xp = array_namespace(x)
        return xp.argmax(xp.astype(x, xp.int8), axis=-1)

    def _joined(self, x: Any, weight: Any) -> Any:
        """Return one index for the indices along each axis of the table."""
        if not isinstance(x, tuple | list) or len(x) != len(self.vocabulary):
            found = len(x) if isinstance(x, tuple | list) else type(x).__name__
            raise ShapeError(
                f"x is a tuple of {len(self.vocabulary)} arrays, as many as vocabulary has sizes: "
                f"got {found}"
            )
        joined = None
        for i, (part, size) in enumerate(zip(x, self.vocabulary, strict=True)):
            checks.same_shape(f"x[{i}]", part, "x[0]", x[0])
            part = _indices(f"x[{i}]", part, weight, size, f"vocabulary[{i}]")
            joined = part if joined is None else joined * size + part
        return joined


@dataclass(frozen=True)
class EmbeddingBag(Layer):
    """A table of features whose rows are summed, averaged or compared for bags of indices.

    Parameters
    ----------
    vocabulary : int
        How many rows the table has.
    features : int
        How long a row is.
    reduction : str
        ``"mean"``, ``"sum"`` or ``"max"``.
    padding_index : int, optional
        An index that fills bags up: it does not count, and its row gets no gradient.
    init_weight : initializer, optional
        By default the standard normal distribution. The row of `padding_index` begins as zeros.

    Notes
    -----
    Input: integer array of shape (..., n), whose last axis is a bag; or a tuple of an array of
    shape (n,), bags of any sizes in a row, and one of shape (bags,) that says where each begins.
    Output: (..., features) or (bags, features), zero for an empty bag.

    Parameter tree: ``weight`` (vocabulary, features). State tree: empty.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    DTypeError
        In the call, if the indices are not integers.
    ShapeError
        In the call, if an index lies outside the vocabulary, or the input has the wrong axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.EmbeddingBag(100, 8, padding_index=0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[1, 2, 3], [4, 0, 0]]), ps, st)[0].shape
    (2, 8)
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    reduction: str = "mean"
    padding_index: int | None = None
    init_weight: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.integers(self, "vocabulary", "features")
        checks.one_of(self, "reduction", ("mean", "sum", "max"))
        _check_padding(self)
        checks.optional_functions(self, "init_weight")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_table(self, rng, (self.vocabulary, self.features))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, offsets = checks.one_or_pair(x, "offsets")
        shape = self.vocabulary, self.features
        weight = checks.member(ps, "weight", shape, "(vocabulary, features)")
        x = _indices("x", x, weight, self.vocabulary, "vocabulary")
        checks.rank_at_least("x", x, 1)
        if offsets is not None:
            for name, array in (("x", x), ("offsets", offsets)):
                if len(checks.axes(name, array)) != 1:
                    raise ShapeError(f"{name}.ndim == 1 for bags in a row: {array.ndim} != 1")
            offsets = _indices("offsets", offsets, weight, math.prod(x.shape) + 1, "len(x) + 1")
        options = {"reduction": self.reduction, "padding_index": self.padding_index}
        return bag_of_rows(x, weight, offsets, **options), st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape[:-1], self.features)


def _is_boolean(x: Any) -> bool:
    checks.axes("x", x)
    return array_namespace(x).isdtype(x.dtype, "bool")


def _indices(name: str, x: Any, weight: Any, size: int, size_name: str) -> Any:
    """Return integers that are rows of a table of `size`."""
    checks.integral(name, x)
    array_namespace(x, weight)
    checks.same_device(name, x, "weight", weight)
    return indices_below(x, size=size, name=name, size_name=size_name)


def _check_padding(layer: Any) -> None:
    if layer.padding_index is not None:
        checks.integers(layer, "padding_index", minimum=0)
        if layer.padding_index >= layer.vocabulary:
            checks.refuse(layer, "padding_index < vocabulary", layer.padding_index)


def _initial_table(
    layer: Any, rng: np.random.Generator, shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    weight = (layer.init_weight or normal())(rng, shape)
    if layer.padding_index is not None:
        weight = weight.copy()
        weight[layer.padding_index] = 0
    return {"weight": weight}
