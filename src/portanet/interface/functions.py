"""What an array library does with functions of its arrays: derive, batch, loop, compile."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from portanet import tape
from portanet.errors import NoDerivativeError
from portanet.interface import fallbacks
from portanet.interface.dtypes import DTypes
from portanet.tape.trace import Captured

Array = Any
Function = Callable[..., Sequence[Array]]


class Functions(DTypes):
    """The part of `portanet.backends.Backend` that takes functions of flat lists of arrays."""

    @abstractmethod
    def device_of(self, x: Array) -> Any:
        """Return the device of an array, plain or traced."""

    @abstractmethod
    def is_traced(self, x: Array) -> bool:
        """Whether an array is inside a derivative, a batch or a compilation."""

    @abstractmethod
    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        """Run `function` on arrays; return its outputs and the pullback of cotangents.

        A cotangent may be None for zero, and so may what the pullback returns.
        """

    @abstractmethod
    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        """Run `function` along `tangents`; a tangent of None means no dependence."""

    def linearize(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array]], list[Array | None]]]:
        """Return the outputs of `function` and the linear map from tangents to theirs."""
        return fallbacks.linearize(self, function, primals)

    def value_and_grad(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        """Return the outputs of `function` and the gradients of the first, a scalar."""
        outputs, pullback = self.vjp(function, primals)
        seed = self.xp.ones_like(outputs[0])
        return outputs, pullback([seed] + [None] * (len(outputs) - 1))

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        """Call an operation that brings its derivatives along."""
        raise NoDerivativeError(f"backend {self.name!r} has no custom derivatives")

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        """Call `function` so that its derivatives recompute it instead of storing its steps.

        A library that cannot do that stores them.
        """
        return function(*arrays)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        """Run `function` for all entries of `arrays` along `axes`; None gives all of an array.

        The outputs have the batch axis first; an output of None stays None. At least one of
        `axes` is not None, and the lengths along them agree. A library that can runs the function
        once; here it runs entry by entry.
        """
        return fallbacks.vmap(self, function, arrays, axes)

    def scan(
        self,
        step: Callable[..., tuple[list[Array], list[Array]]],
        carry: Sequence[Array],
        xs: Sequence[Array],
        length: int,
        reverse: bool,
    ) -> tuple[list[Array], list[Array]] | None:
        """Run ``carry, y = step(carry, x)`` along axis 0 of `xs`; return the last carry and the ys.

        All are flat lists. A carry may hold random keys. None, as here, leaves it to a loop of
        Python.
        """
        return None

    def while_loop(
        self,
        condition: Callable[..., Array],
        step: Callable[..., list[Array]],
        carry: Sequence[Array],
        most: int | None,
    ) -> list[Array] | None:
        """Run ``carry = step(*carry)`` while ``condition(*carry)`` holds, `most` times at most.

        A carry is a flat list, and may hold random keys. None, as here, leaves it to a loop of
        Python. Without a bound there is no reverse derivative: `interface.loops.UNBOUNDED`.
        """
        return None

    def observe(
        self, function: Function, arrays: Sequence[Array], observer: Callable[..., Any]
    ) -> Sequence[Array]:
        """Call `function` and show an observer its operations: ``observer(name, run, args)``.

        The observer returns ``run(args)``. Here none is shown.
        """
        return function(*arrays)

    def cond(
        self,
        predicate: Array,
        true_function: Callable[..., list[Array]],
        false_function: Callable[..., list[Array]],
        operands: Sequence[Array],
    ) -> list[Array]:
        """Call one of two functions of arrays and keys, whichever a boolean array asks for."""
        return (true_function if predicate else false_function)(*operands)

    def rehearse(self, function: Function, arrays: Sequence[Array]) -> None:
        """Call a function of arrays before it is compiled, for what it does besides.

        A function that uses arrays of an outer derivative, batch or compilation raises
        `portanet.tape.trace.Captured`.
        """
        if any(map(self.is_traced, function(*arrays))):
            raise Captured

    def untraced(self) -> AbstractContextManager[Any]:
        """Return a context in which arrays have their values also during `rehearse`."""
        return nullcontext()

    def compile(
        self, function: Function, donated: Sequence[int] = (), mode: str | None = None
    ) -> Function:
        """Return a function of lists of arrays and numbers as the library's compiler makes it.

        The arrays of the lists at the positions `donated` may be overwritten. `mode` is one of
        `compile_modes`, or None.
        """
        return function
