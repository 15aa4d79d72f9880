"""The long short-term memory cell."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.functional.sequences.recurrent import lstm, lstm_step
from portanet.layers.recurrent._cell import Init, RecurrentCell


@dataclass(frozen=True)
class LSTMCell(RecurrentCell):
    r"""A long short-term memory cell [1]_, with a forget gate [2]_.

    With :math:`(i, f, g, o) = W_{ih} x + b_{ih} + W_{hh} h + b_{hh}`, in this order along the
    last axis,

    .. math:: c' = \sigma(f)\, c + \sigma(i) \tanh(g), \qquad h' = \sigma(o) \tanh(c').

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis before and after; hidden state and memory have `out_features`. With
        None for `in_features` it is that of the input.
    use_bias : bool
        Whether there are biases.
    train_state, train_memory : bool
        Whether the hidden state and the memory before the first step are parameters. Otherwise
        they are zero, or what `init_state` and `init_memory` draw once.
    init_weight, init_recurrent_weight, init_bias : initializer or tuple of 4, optional
        One for all gates or one a gate. By default uniform in ``± 1 / √out_features``;
        `init_recurrent_weight` is `init_weight`.
    init_state, init_memory : initializer, optional
        By default zeros.

    Notes
    -----
    Input: floating array of shape (..., in_features), or a tuple of it and a carry. The carry is
    the tuple of hidden state and memory, both (..., out_features). Output: the pair of the new
    hidden state and the new carry.

    Parameter tree: ``weight_ih`` (4 · out_features, in_features), ``weight_hh``
    (4 · out_features, out_features); with biases ``bias_ih`` and ``bias_hh``, both
    (4 · out_features,); where they are trained ``hidden_state`` and ``memory``, both
    (out_features,). State tree: empty, or those of the two that are given and not trained.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input or the carry does not fit the parameters.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.
    .. [2] Gers, Schmidhuber and Cummins, "Learning to Forget: Continual Prediction with LSTM",
       Neural Computation 12, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> cell = pn.LSTMCell(3, 5)
    >>> ps, st = pn.setup(0, cell)
    >>> (y, (hidden, memory)), st = cell(np.ones((2, 3), np.float32), ps, st)
    >>> y.shape, memory.shape
    ((2, 5), (2, 5))
    """

    gates: ClassVar[int] = 4
    carried: ClassVar[dict[str, tuple[str, str]]] = {
        "hidden_state": ("train_state", "init_state"),
        "memory": ("train_memory", "init_memory"),
    }

    in_features: checks.Size
    out_features: int
    _: KW_ONLY
    use_bias: bool = True
    train_state: bool = False
    train_memory: bool = False
    init_weight: Init | tuple[Init, ...] | None = None
    init_recurrent_weight: Init | tuple[Init, ...] | None = None
    init_bias: Init | tuple[Init, ...] | None = None
    init_state: Init | None = None
    init_memory: Init | None = None

    def step(self, projected: Any, carry: tuple[Any, ...], ps: Any) -> tuple[Any, ...]:
        hidden, memory = carry
        return lstm_step(projected + self.recur(hidden, ps), memory)

    def along(
        self, x: Any, carry: tuple[Any, ...], ps: Any, reverse: bool
    ) -> tuple[Any, tuple[Any, ...]]:
        outputs, *carry_after = lstm(x, *carry, *self.weights(ps), reverse=reverse)
        return outputs, tuple(carry_after)
