"""What is exported: a program for batches of every size, its arguments and its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import ArgumentError
from portanet.export._arguments import Arguments, arguments_of
from portanet.export._recorded import Knows, recorded
from portanet.export._sizes import for_all_sizes
from portanet.tracing.program import Program

_MORE = 1, 4
"""Rows by which the other batches are longer than the examples: further sizes to be recorded."""


@dataclass(frozen=True)
class Exported:
    """A function as a program.

    Parameters
    ----------
    program : Program
        Of the standard's functions; lengths that vary are a `Size` of the batch.
    structure : TreeStructure
        That of its results.
    arguments : Arguments
    """

    program: Program
    structure: Any
    arguments: Arguments

    @property
    def trials(self) -> list[Arguments]:
        """Arguments to try it with: the examples, and other sizes of a batch."""
        size = self.arguments.size
        others = () if size is None else (1, size + 2)
        return [self.arguments, *map(self.arguments.of_size, others)]


def exported(
    function: Callable[..., Any], examples: Sequence[Any], batch_axis: int | None, knows: Knows
) -> Exported:
    """Return the program of a function.

    Parameters
    ----------
    function : callable
    examples : sequence of tree
    batch_axis : int or None
    knows : callable
        Whether there are words for an operation, by its name: others are taken apart.

    Raises
    ------
    ArgumentError, BackendMismatchError, ShapeError
        Where the function or the examples are none that can be exported.
    """
    if getattr(function, "changes_when_called", False):
        raise ArgumentError(
            "what is exported changes nothing when it is called: give the model itself, as in "
            "lambda x: model(x, ps, st)[0]"
        )
    arguments = arguments_of(function, examples, batch_axis)
    if arguments.size == 1:  # which is spread over others without a word
        arguments = arguments.of_size(2)
    program, structure = recorded(function, arguments, knows)
    if arguments.size is not None:
        sizes = [arguments.size + more for more in _MORE]
        others = [recorded(function, arguments.of_size(n), knows) for n in sizes]
        if any(other != structure for _, other in others):
            raise ArgumentError("the function returns another tree for another size of a batch")
        programs = [program, *(each for each, _ in others)]
        program = for_all_sizes(programs, [arguments.size, *sizes])
    return Exported(program, structure, arguments)
