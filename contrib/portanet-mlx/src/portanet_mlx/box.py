"""The boxes of MLX's arrays."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from portanet import tape

_ASSIGNED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")


class MlxBox(tape.Box, mx.array):
    """A traced array, and a subclass of MLX's own.

    The operators of MLX raise for an unknown right operand instead of leaving it to that. Python
    asks a subclass first.
    """

    __slots__ = ()

    def __new__(cls, *_: Any) -> Any:
        return mx.array.__new__(cls)


for _name in _ASSIGNED:  # without these Python would take MLX's own, which write into memory
    setattr(MlxBox, f"__i{_name}__", getattr(tape.Box, f"__{_name}__"))
