"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.functional.sequences.recurrent import gru, gru_step
from portanet.layers.recurrent._cell import Init, RecurrentCell


@dataclass(frozen=True)
class GRUCell(RecurrentCell):
    r"""A gated recurrent unit [1]_.

    With :math:`(r_x, z_x, n_x) = W_{ih} x + b_{ih}` and :math:`(r_h, z_h, n_h) = W_{hh} h +
    b_{hh}`, in this order along the last axis,

    .. math::

       r = \sigma(r_x + r_h), \quad z = \sigma(z_x + z_h), \quad n = \tanh(n_x + r\, n_h),
       \qquad h' = (1 - z)\, n + z\, h.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis before and after; the hidden state has `out_features`. With None for
        `in_features` it is that of the input.
    use_bias : bool
        Whether there are biases.
    train_state : bool
        Whether the hidden state before the first step is a parameter. Otherwise it is zero, or
        what `init_state` draws once.
    init_weight, init_recurrent_weight, init_bias : initializer or tuple of 3, optional
        One for all gates or one a gate. By default uniform in ``± 1 / √out_features``;
        `init_recurrent_weight` is `init_weight`.
    init_state : initializer, optional
        By default zeros.

    Notes
    -----
    The reset gate multiplies after the product with the hidden state, as in cuDNN and torch; the
    first version of the paper has it before.

    Input: floating array of shape (..., in_features), or a tuple of it and a carry. The carry is
    the tuple of the hidden state, (..., out_features). Output: the pair of the new hidden state
    and the new carry.

    Parameter tree: ``weight_ih`` (3 · out_features, in_features), ``weight_hh``
    (3 · out_features, out_features); with biases ``bias_ih`` and ``bias_hh``, both
    (3 · out_features,); with a trained state ``hidden_state`` (out_features,). State tree: empty,
    or ``hidden_state`` where `init_state` is given and not trained.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input or the carry does not fit the parameters.

    References
    ----------
    .. [1] Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio, "Learning
       Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation",
       EMNLP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> cell = pn.GRUCell(3, 5)
    >>> ps, st = pn.setup(0, cell)
    >>> (y, carry), st = cell(np.ones((2, 3), np.float32), ps, st)
    >>> y.shape
    (2, 5)
    """

    gates: ClassVar[int] = 3
    carried: ClassVar[dict[str, tuple[str, str]]] = {"hidden_state": ("train_state", "init_state")}

    in_features: checks.Size
    out_features: int
    _: KW_ONLY
    use_bias: bool = True
    train_state: bool = False
    init_weight: Init | tuple[Init, ...] | None = None
    init_recurrent_weight: Init | tuple[Init, ...] | None = None
    init_bias: Init | tuple[Init, ...] | None = None
    init_state: Init | None = None

    def step(self, projected: Any, carry: tuple[Any, ...], ps: Any) -> tuple[Any, ...]:
        (hidden,) = carry
        return (gru_step(projected, self.recur(hidden, ps), hidden),)

    def along(
        self, x: Any, carry: tuple[Any, ...], ps: Any, reverse: bool
    ) -> tuple[Any, tuple[Any, ...]]:
        outputs, hidden = gru(x, *carry, *self.weights(ps), reverse=reverse)
        return outputs, (hidden,)
