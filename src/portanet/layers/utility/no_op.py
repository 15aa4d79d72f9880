"""The layer that does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.core import Layer


@dataclass(frozen=True)
class NoOp(Layer):
    """The layer that returns its input.

    Notes
    -----
    No parameters and no states.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.NoOp()("anything", {}, {})
    ('anything', {})
    """

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return x, st

    def output_shape(self, input_shape: Any) -> Any:
        return input_shape
