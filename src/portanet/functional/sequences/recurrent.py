"""The steps of recurrent networks, and whole sequences of them."""

from __future__ import annotations

from typing import Any

from portanet.control import scan
from portanet.functional.activations.sigmoids import sigmoid, tanh
from portanet.functional.kernel import kernel
from portanet.functional.linear.linear import linear


def lstm_step(gates: Any, memory: Any) -> tuple[Any, Any]:
    """Return hidden state and memory after a step of a long short-term memory.

    Parameters
    ----------
    gates : array, shape (..., 4 · features)
        Input, forget, cell and output gate before their activations.
    memory : array, shape (..., features)
    """
    n = gates.shape[-1] // 4
    written, kept = _parts(sigmoid(gates[..., : 2 * n]), 2)
    memory = kept * memory + written * tanh(gates[..., 2 * n : 3 * n])
    return sigmoid(gates[..., 3 * n :]) * tanh(memory), memory


def gru_step(projected: Any, recurrent: Any, hidden: Any) -> Any:
    """Return the hidden state after a step of a gated recurrent unit.

    Parameters
    ----------
    projected, recurrent : array, shape (..., 3 · features)
        The input's and the hidden state's parts of reset gate, update gate and new state.
    hidden : array, shape (..., features)
    """
    n = projected.shape[-1] // 3
    reset, update = _parts(sigmoid(projected[..., : 2 * n] + recurrent[..., : 2 * n]), 2)
    new = tanh(projected[..., 2 * n :] + reset * recurrent[..., 2 * n :])
    return new + update * (hidden - new)


@kernel
def lstm(
    x: Any,
    hidden: Any,
    memory: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any, Any]:
    """Run a long short-term memory along the first axis of `x`.

    Parameters
    ----------
    x : array, shape (L, ..., in_features)
    hidden, memory : array, shape (..., features)
    weight_ih, weight_hh : array, shapes (4 · features, in_features) and (4 · features, features)
    bias_ih, bias_hh : array, shape (4 · features,), optional
        Both or neither.
    reverse : bool
        Whether to begin at the end.

    Returns
    -------
    outputs : array, shape (L, ..., features)
    hidden, memory : array, shape (..., features)
    """

    def step(carry: Any, projected: Any) -> tuple[Any, Any]:
        hidden, memory = carry
        gates = projected + linear(hidden, weight_hh)
        hidden, memory = lstm_step(gates, memory)
        return (hidden, memory), hidden

    projected = linear(x, weight_ih, None if bias_ih is None else bias_ih + bias_hh)
    (hidden, memory), outputs = scan(step, (hidden, memory), projected, reverse=reverse)
    return outputs, hidden, memory


@kernel
def gru(
    x: Any,
    hidden: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Run a gated recurrent unit along the first axis of `x`; see `lstm`."""

    def step(hidden: Any, projected: Any) -> tuple[Any, Any]:
        hidden = gru_step(projected, linear(hidden, weight_hh, bias_hh), hidden)
        return hidden, hidden

    hidden, outputs = scan(step, hidden, linear(x, weight_ih, bias_ih), reverse=reverse)
    return outputs, hidden


def _parts(x: Any, count: int) -> tuple[Any, ...]:
    """Return `count` arrays of equal size, cut from the last axis."""
    size = x.shape[-1] // count
    return tuple(x[..., i * size : (i + 1) * size] for i in range(count))
