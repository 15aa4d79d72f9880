"""Torch's own recurrent layers, which ``torch.func`` and forward mode do not know."""

from __future__ import annotations

from typing import Any

import torch

from portanet.backends.torch.modes import transformed
from portanet.functional.kernel import GENERIC

Tensor = torch.Tensor
_VF: Any = torch._VF


def lstm(
    x: Tensor, hidden: Tensor, memory: Tensor, *weights: Any, reverse: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    if transformed() or x.numel() == 0:
        return GENERIC["lstm"](x, hidden, memory, *weights, reverse=reverse)
    outputs, hidden, memory = _run(_VF.lstm, x, (hidden, memory), weights, reverse)
    return outputs, hidden, memory


def gru(x: Tensor, hidden: Tensor, *weights: Any, reverse: bool = False) -> tuple[Tensor, Tensor]:
    if transformed() or x.numel() == 0:
        return GENERIC["gru"](x, hidden, *weights, reverse=reverse)
    outputs, hidden = _run(_VF.gru, x, (hidden,), weights, reverse)
    return outputs, hidden


def _run(
    function: Any, x: Tensor, carry: tuple[Tensor, ...], weights: Any, reverse: bool
) -> list[Tensor]:
    """Call one layer of torch's, which has one batch axis and goes one way."""
    given = [w for w in weights if w is not None]
    length, *batch, features = x.shape
    rows = x.reshape(length, -1, features)
    start: Any = [part.reshape(1, -1, part.shape[-1]) for part in carry]
    found = function(
        rows.flip(0) if reverse else rows,
        start[0] if len(start) == 1 else start,
        given,
        len(given) > 2,  # biases
        1,  # layers
        0.0,  # dropout
        False,  # training
        False,  # bidirectional
        False,  # batch first
    )
    outputs, *carry_found = found
    outputs = outputs.flip(0) if reverse else outputs
    return [
        outputs.reshape(length, *batch, -1),
        *(part.reshape(*batch, -1) for part in carry_found),
    ]
