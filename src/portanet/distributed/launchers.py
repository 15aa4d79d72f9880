"""Who has started this process, as the environment says, and what it reads where one fails."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType

_BY_TORCH = ({"TORCHELASTIC_RUN_ID"}, {"RANK", "WORLD_SIZE", "MASTER_ADDR"})
_BY_MPI = ({"OMPI_COMM_WORLD_SIZE"}, {"PMI_SIZE"}, {"PMIX_RANK"}, {"MPI_LOCALNRANKS"})


def launched_by() -> str | None:
    """Return the engine of the launcher of this process: "torch", "mpi", or None."""
    for engine, signs in (("torch", _BY_TORCH), ("mpi", _BY_MPI)):
        if any(names <= os.environ.keys() for names in signs):
            return engine
    return None


def integer_from(name: str, otherwise: int) -> int:
    """Return the integer that a launcher has put into the environment."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise


def report(
    rank: int,
    workers: int,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Print what has ended a worker, in one piece, since others may print at the same time."""
    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write("".join([f"worker {rank} of {workers} failed, which ends all:\n", *lines]))
    sys.stderr.flush()
