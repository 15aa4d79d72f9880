"""The layer of an encoder, and of a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.layers.attention._transformer import TransformerLayer, parts_of
from portanet.layers.attention.multi_head import of_keys


@dataclass(frozen=True)
class TransformerEncoderLayer(TransformerLayer):
    """Self-attention and a small network, each with a norm and a way around it [1]_.

    With the norm first [2]_ ``y = x + attention(norm(x))`` and ``z = y + mlp(norm(y))``; otherwise,
    as in the first paper, ``y = norm(x + attention(x))`` and ``z = norm(y + mlp(y))``. With
    `causal` it is the layer of a language model.

    Parameters
    ----------
    features : int
        The size of the last axis of input and output.
    heads : int
        How many heads the attention has.
    mlp_features : int, optional
        The width of the small network, by default four times `features`.
    activation : callable
        Its activation.
    norm_first : bool
        Whether the norms come before the parts or after the sums. (PyTorch's default is after.)
    dropout : float
        The probability of dropping attention weights, hidden features and the parts' outputs
        while training.
    kv_heads, causal, positions
        As for `MultiHeadAttention`.
    use_bias : bool
        Whether the linear maps have a bias.
    epsilon : float
        Added to the variances of the norms.
    replaced : mapping of str to Layer, optional
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: floating array of shape (N, L, features), or a tuple of that and a mask, which
    broadcasts against (N, heads, L, L) as for `MultiHeadAttention`. Output: (N, L, features).

    Parameters and states: ``attention``, ``attention_norm``, ``mlp``, ``mlp_norm``, and
    ``attention_dropout`` and ``mlp_dropout`` if there is dropout.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerEncoderLayer(8, 2)
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((3, 5, 8), np.float32), ps, st)[0].shape
    (3, 5, 8)
    """

    def described(self) -> dict[str, Layer]:
        return self._with_parts({"attention": self._attention(self.causal, self.positions)})

    @property
    def takes_mask(self) -> bool:
        return True

    def masked_input(self, x: Any, mask: Any) -> Any:
        return x, of_keys(mask)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, mask = parts_of(x, ("x", "mask"))
        states = dict(checks.require_tree(st, "st"))
        y = self._residual("attention", x, (mask,), ps, states)
        return self._residual("mlp", y, (), ps, states), states
