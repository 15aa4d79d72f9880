"""einops on traced arrays, of every library of the tape.

einops asks its backends which of them knows an array, and finds them among the subclasses of its
own class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from einops._backends import AbstractBackend

from portanet.tape import Box
from portanet.tape.einsum import contract, plan_of


class TracedArrays(AbstractBackend):
    """What einops does with a traced array: the functions of its namespace."""

    framework_name = "portanet"

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Box)

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return x.xp.reshape(x, tuple(shape))

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        return x.xp.permute_dims(x, tuple(axes))

    def reduce(self, x: Any, operation: str, axes: Sequence[int]) -> Any:
        return getattr(x.xp, operation)(x, axis=tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Any]) -> Any:
        return tensors[0].xp.stack(tensors)

    def add_axis(self, x: Any, new_position: int) -> Any:
        return x.xp.expand_dims(x, axis=new_position)

    def tile(self, x: Any, repeats: Sequence[int]) -> Any:
        return x.xp.tile(x, tuple(repeats))

    def concat(self, tensors: Sequence[Any], axis: int) -> Any:
        return tensors[0].xp.concat(list(tensors), axis=axis)

    def is_float_type(self, x: Any) -> bool:
        return x.xp.isdtype(x.dtype, "real floating")

    def einsum(self, pattern: str, *x: Any) -> Any:
        return contract(x[0].xp, x, plan_of(pattern, tuple(tuple(y.shape) for y in x)))
