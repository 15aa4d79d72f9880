"""Sequences with the mask of what counts in them."""

from __future__ import annotations

from typing import Any, NamedTuple

from portanet import checks
from portanet.errors import DTypeError, ShapeError
from portanet.interface import array_namespace


class MaskedInput(NamedTuple):
    """Sequences of different lengths, filled up, and which of their entries count.

    A `Chain` keeps the mask and hands it to each layer that takes one: `MultiHeadAttention`, a
    `TransformerEncoderLayer` or a `TransformerStack` of them, `Recurrence`, `StackedRecurrence`,
    `BidirectionalRNN`, and chains of these. The others get the sequences alone. What comes out is
    an array, as ever. A layer of one's own takes masks if it overrides `takes_mask` and
    `masked_input`.

    Attributes
    ----------
    x : array of shape (N, L, ...)
    mask : array of bool, of shape (N, L)
        True where an entry counts, as from `portanet.data.pad_sequences`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Embedding(10, 4), pn.Dropout(0.1), pn.Recurrence(pn.GRUCell(4, 3)))
    >>> ps, st = pn.setup(0, model)
    >>> tokens, mask = pn.data.pad_sequences([[3, 1, 4], [1, 5]])
    >>> y, _ = model(pn.MaskedInput(tokens, mask), ps, pn.test_mode(st))
    >>> alone, _ = model(np.asarray([[1, 5]]), ps, pn.test_mode(st))
    >>> bool(np.allclose(y[1], alone[0]))
    True
    """

    x: Any
    mask: Any


def checked_mask(given: MaskedInput) -> Any:
    """Return the mask of sequences, which has an entry for each of theirs."""
    x, mask = given
    checks.rank_at_least("x", x, 2)
    checks.shape_of("mask", mask, tuple(x.shape[:2]), "x.shape[:2]")
    if not array_namespace(x, mask).isdtype(mask.dtype, "bool"):
        raise DTypeError(
            "mask.dtype is bool: compare the places with the lengths, as in "
            "xp.arange(L) < lengths[:, None]"
        )
    return mask


def refuse_mask(name: str) -> ShapeError:
    """Return the error of a mask that no layer of a chain takes."""
    return ShapeError(
        f"{name} has no layer that takes a mask: give it the sequences alone, or a layer with "
        f"takes_mask"
    )
