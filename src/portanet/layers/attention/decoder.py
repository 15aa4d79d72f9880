"""The layer of a decoder, which attends to a memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.layers.attention._transformer import TransformerLayer, parts_of


@dataclass(frozen=True)
class TransformerDecoderLayer(TransformerLayer):
    """Causal self-attention, attention to a memory, and a small network [1]_.

    Each of the three has a norm and a way around it, as in `TransformerEncoderLayer`.

    Parameters
    ----------
    features, heads, mlp_features, activation, norm_first, dropout, kv_heads, use_bias, positions
        As for `TransformerEncoderLayer`; `positions` serves the self-attention.
    causal : bool
        Whether a position sees none after it.
    epsilon : float
        Added to the variances of the norms.
    replaced : mapping of str to Layer, optional
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: ``(x, memory)``, ``(x, memory, mask)`` or ``(x, memory, mask, memory_mask)``: floating
    arrays of shape (N, L, features) and (N, S, features), and masks, or None, that broadcast
    against (N, heads, L, L) and (N, heads, L, S). Output: (N, L, features).

    Parameters and states: ``attention``, ``memory`` and ``mlp``, for each of them a norm such as
    ``attention_norm`` and, if there is dropout, one such as ``attention_dropout``.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerDecoderLayer(8, 2)
    >>> ps, st = pn.setup(0, model)
    >>> x, memory = np.ones((3, 5, 8), np.float32), np.ones((3, 7, 8), np.float32)
    >>> model((x, memory), ps, st)[0].shape
    (3, 5, 8)
    """

    causal: bool = True

    def described(self) -> dict[str, Layer]:
        return self._with_parts(
            {
                "attention": self._attention(self.causal, self.positions),
                "memory": self._attention(False, None),
            }
        )

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, memory, mask, memory_mask = parts_of(x, ("x", "memory", "mask", "memory_mask"), 2)
        states = dict(checks.require_tree(st, "st"))
        y = self._residual("attention", x, (mask,), ps, states)
        y = self._residual("memory", y, (memory, memory_mask), ps, states)
        return self._residual("mlp", y, (), ps, states), states
