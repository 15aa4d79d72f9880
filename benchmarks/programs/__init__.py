"""Programs of users, one a file: each returns the same work for torch eager, JAX and portanet."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.programs._program import measured
from benchmarks.programs.convolutions import convolutions
from benchmarks.programs.gaussian_process import gaussian_process
from benchmarks.programs.graph_network import graph_network
from benchmarks.programs.log_density import log_density
from benchmarks.programs.neural_ode import neural_ode
from benchmarks.programs.physics import physics
from benchmarks.programs.recurrent import recurrent
from benchmarks.report import table

_PROGRAMS = (
    log_density,
    gaussian_process,
    graph_network,
    recurrent,
    convolutions,
    neural_ode,
    physics,
)


def programs() -> Iterator[str]:
    """A row for each program: portanet's time on NumPy, recorded, and its ratios to the others."""
    rows = [measured(make()) for make in _PROGRAMS]
    header = ["program", "portanet on NumPy, jit", "÷ torch eager", "÷ JAX jit"]
    yield "### Programs of users\n\n" + table(header, rows)
