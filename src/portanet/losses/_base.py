"""What all losses share: the two ways to call one, the checks and the reduction."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, overload

from portanet import trees
from portanet.checks import one_of, pair, real_floating, same_kind, same_shape
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.functional.half import is_half, rounded, widened
from portanet.interface import array_namespace, beside
from portanet.losses.masked import MaskedBatch, check_mask, filled, of_samples

Reduction = Literal["mean", "sum", "none"]


class Loss(ABC):
    """A number that says how far a prediction is from its target.

    A loss is called with arrays, ``loss(prediction, target)``, or as an objective of training,
    ``loss(model, ps, st, (x, target))``, which returns ``(value, st, {})``; of a
    `portanet.data.MaskedBatch` it is that of the samples that count.

    A subclass is a frozen dataclass with a field `reduction`; it defines `values`, and `check` if
    its arrays are not two of one shape and dtype.

    Arrays of float16 and bfloat16 are given to `values` in float32, and the result is rounded once.

    Attributes
    ----------
    widens : bool
        Whether that is so.
    """

    widens: ClassVar[bool] = True
    reduction: Reduction

    def __post_init__(self) -> None:
        one_of(self, "reduction", ("mean", "sum", "none"))

    @overload
    def __call__(self, prediction: Any, target: Any, /) -> Any: ...
    @overload
    def __call__(
        self, model: Callable[..., Any], ps: Any, st: Any, data: tuple[Any, Any], /
    ) -> tuple[Any, Any, dict[str, Any]]: ...
    def __call__(self, prediction: Any, target: Any, /, *rest: Any) -> Any:
        """Compute the loss of a prediction, or of a model on data.

        Parameters
        ----------
        prediction, target : array
            Of one library, device, shape and real floating dtype, where the loss does not say
            otherwise. Nothing is broadcast.

        Returns
        -------
        array
            One number in an array without axes; with ``reduction="none"``, one for each element
            or sample.

        Raises
        ------
        ShapeError, DTypeError, DeviceError, BackendMismatchError
            If the two arrays differ in shape, dtype, device or library, or hold no real floats,
            or if a mean is asked of no values.
        """
        if rest:
            if len(rest) != 2:
                raise ArgumentError(
                    f"a loss is called with a prediction and a target, or with a model, ps, st and "
                    f"data: got {2 + len(rest)} arguments"
                )
            value, st, _ = self.of_model(prediction, target, *rest)
            return value, st, {}
        self.check(prediction, target)
        return self._computed(prediction, target)

    def masked(self, prediction: Any, target: Any, mask: Any) -> Any:
        """Compute the loss of the samples that count.

        Such as those of a `portanet.data.MaskedBatch`, or those that have a target. What the others
        hold reaches neither the value nor its derivatives.

        Parameters
        ----------
        prediction, target : array
            As for a call, with the samples along their first axis.
        mask : array of bool, of shape (N,)
            Which samples count.

        Returns
        -------
        array
            The loss of the samples that count alone: a mean is over them, and 0 of none. With
            ``reduction="none"`` the others have 0.

        Raises
        ------
        ShapeError, DTypeError, DeviceError, BackendMismatchError
            As a call does, or if `mask` is another kind of array.
        ArgumentError
            If the loss compares the samples with each other.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> prediction, target = np.asarray([[1.0], [2.0]]), np.asarray([[3.0], [np.nan]])
        >>> print(pn.MSELoss().masked(prediction, target, np.asarray([True, False])))
        4.0
        """
        self.check(prediction, target)
        check_mask(first_of(prediction), mask)
        xp = array_namespace(mask)
        shown = trees.map_leaves(lambda x: filled(xp, x, mask), (prediction, target))
        return self._computed(*shown, mask)

    def _computed(self, prediction: Any, target: Any, *mask: Any) -> Any:
        first = first_of(prediction)
        widens = self.widens and is_half(first)
        compute = self._in_float32 if widens else self._reduced
        return beside(first, compute)(first, prediction, target, *mask)

    def _in_float32(self, first: Any, prediction: Any, target: Any, *mask: Any) -> Any:
        """Compute the loss of 16 bits, with the machine epsilon of those where it is used."""
        loss = self
        if getattr(self, "epsilon", 0) is None:
            epsilon = float(array_namespace(first).finfo(first.dtype).eps)
            loss = dataclasses.replace(self, epsilon=epsilon)  # pyright: ignore[reportArgumentType]
        wide = trees.map_leaves(widened, (first, prediction, target))
        return rounded(loss._reduced(*wide, *mask), first)

    def _reduced(self, first: Any, prediction: Any, target: Any, *mask: Any) -> Any:
        xp = array_namespace(first)
        if mask:
            return rounded(self._of_kept(xp, prediction, target, *mask), first)
        if self.reduction == "mean":
            if 0 in first.shape:
                raise ShapeError(
                    f"prediction has entries to average: its shape is {tuple(first.shape)}: "
                    'leave such a batch out, or use reduction="sum"'
                )
            return self.mean(xp, prediction, target)
        values = self.values(xp, prediction, target)
        return xp.sum(values) if self.reduction == "sum" else values

    def _of_kept(self, xp: Any, prediction: Any, target: Any, mask: Any) -> Any:
        """Return the loss of the samples that count, of 32 bits at least."""
        values = widened(self.values(xp, prediction, target))
        if tuple(values.shape[:1]) != tuple(mask.shape):
            raise ShapeError(
                f"mask.shape == the samples of {type(self).__name__}: {tuple(mask.shape)} != "
                f"{tuple(values.shape[:1])}: the samples are the first axis"
            )
        values = xp.where(of_samples(xp, mask, values), values, 0.0)
        if self.reduction == "none":
            return values
        total = xp.sum(values)
        if self.reduction == "sum":
            return total
        samples = xp.maximum(xp.sum(xp.astype(mask, values.dtype)), 1.0)
        return total / (samples * math.prod(values.shape[1:]))

    def of_model(self, model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
        """Compute the loss of a model on data, and keep its prediction.

        Parameters
        ----------
        model : Layer
        ps, st : tree
            Its parameters and states.
        data : tuple of arrays or MaskedBatch
            A pair ``(x, target)``, or one in a batch of which not all samples count.

        Returns
        -------
        value : array
            The loss.
        st : tree
            The new states.
        prediction : array or tuple of arrays
            What the model returned.

        Raises
        ------
        ShapeError, DTypeError, DeviceError, BackendMismatchError, ArgumentError
            As a call does, or if `data` is no such pair.

        Examples
        --------
        >>> import numpy as np
        >>> import portanet as pn
        >>> x, target = np.asarray([[1.0]]), np.asarray([[3.0]])
        >>> value, _, prediction = pn.MSELoss().of_model(pn.NoOp(), {}, {}, (x, target))
        >>> print(value, prediction)
        4.0 [[1.]]
        """
        data, *mask = data if isinstance(data, MaskedBatch) else (data,)
        x, target = pair("data", data)
        if not callable(model):
            raise ArgumentError(f"model is a layer: got {shown(model)}")
        answer = model(x, ps, st)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ArgumentError(f"model(x, ps, st) returns (y, st): got {type(answer).__name__}")
        prediction, st = answer
        self.check(prediction, target)
        if mask:  # the surplus samples repeat the others, and need not be filled
            check_mask(first_of(prediction), *mask)
        return self._computed(prediction, target, *mask), st, prediction

    def check(self, prediction: Any, target: Any) -> None:
        """Raise an error unless prediction and target fit each other and this loss."""
        check_pair("prediction", prediction, "target", target)

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        """Return the mean of `values`; a loss that can do so in fewer operations replaces it."""
        return xp.mean(self.values(xp, prediction, target))

    @abstractmethod
    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        """Return the loss of each element or sample; the arrays are checked."""


def first_of(prediction: Any) -> Any:
    """Return a prediction, or the first of several arrays that it is made of."""
    return prediction[0] if isinstance(prediction, tuple | list) else prediction


def check_pair(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays share their library, device, real floating dtype and shape."""
    same_kind(other_name, other, name, x)
    same_shape(name, x, other_name, other)
    real_floating(name, x)


def parts(name: str, x: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the arrays of a tuple, as many as there are `names`."""
    if not isinstance(x, tuple | list) or len(x) != len(names):
        kind = f"{len(x)} entries" if isinstance(x, tuple | list) else f"a {type(x).__name__}"
        raise ShapeError(f"{name} is a tuple ({', '.join(names)}): got {kind}")
    return tuple(x)
