"""The adapter of a library whose derivatives come from the tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from portanet import tape
from portanet.backends.base import Array, Backend, Function


class TapeBackend(Backend):
    """A library without differentiation of its own: the tape supplies it."""

    jit = "calls"

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        return tape.vjp(function, primals, self._box)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return tape.jvp(function, primals, tangents, self._box)

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        return tape.custom(operation, arrays, self.xp)

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        return tape.checkpoint(function, arrays, self)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        from portanet.tape.batch import vmap

        return vmap(function, arrays, axes, self.xp)

    def _box(self, x: Array) -> type[tape.Box]:
        return self.xp.box
