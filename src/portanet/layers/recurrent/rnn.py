"""The plain recurrent cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.functional import tanh
from portanet.layers.recurrent._cell import Init, RecurrentCell


@dataclass(frozen=True)
class RNNCell(RecurrentCell):
    """A recurrent cell: ``h' = activation(W_ih x + b_ih + W_hh h + b_hh)`` [1]_.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis before and after; the hidden state has `out_features`. With None for
        `in_features` it is that of the input.
    activation : callable
        Applied to the sum.
    use_bias : bool
        Whether there are biases.
    train_state : bool
        Whether the hidden state before the first step is a parameter. Otherwise it is zero, or
        what `init_state` draws once.
    init_weight, init_recurrent_weight, init_bias : initializer, optional
        By default uniform in ``± 1 / √out_features``; `init_recurrent_weight` is `init_weight`.
    init_state : initializer, optional
        By default zeros.

    Notes
    -----
    Input: floating array of shape (..., in_features), or a tuple of it and a carry. The carry is
    the tuple of the hidden state, (..., out_features). Output: the pair of the new hidden state
    and the new carry.

    Parameter tree: ``weight_ih`` (out_features, in_features), ``weight_hh`` (out_features,
    out_features); with biases ``bias_ih`` and ``bias_hh``, both (out_features,); with a trained
    state ``hidden_state`` (out_features,). State tree: empty, or ``hidden_state`` where
    `init_state` is given and not trained.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input or the carry does not fit the parameters.

    References
    ----------
    .. [1] Elman, "Finding Structure in Time", Cognitive Science 14, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> cell = pn.RNNCell(3, 5)
    >>> ps, st = pn.setup(0, cell)
    >>> x = np.ones((2, 3), np.float32)
    >>> (y, carry), st = cell(x, ps, st)
    >>> (y, carry), st = cell((x, carry), ps, st)
    >>> y.shape
    (2, 5)
    """

    gates: ClassVar[int] = 1
    carried: ClassVar[dict[str, tuple[str, str]]] = {"hidden_state": ("train_state", "init_state")}

    in_features: checks.Size
    out_features: int
    activation: Callable[[Any], Any] = tanh
    _: KW_ONLY
    use_bias: bool = True
    train_state: bool = False
    init_weight: Init | None = None
    init_recurrent_weight: Init | None = None
    init_bias: Init | None = None
    init_state: Init | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.functions(self, "activation")

    def step(self, projected: Any, carry: tuple[Any, ...], ps: Any) -> tuple[Any, ...]:
        (hidden,) = carry
        return (self.activation(projected + self.recur(hidden, ps)),)
