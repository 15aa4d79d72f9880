"""Matplotlib, where it is installed."""

from __future__ import annotations

from typing import Any

from portanet.errors import BackendNotAvailableError

_MISSING = "{} needs the package matplotlib: pip install matplotlib"


def new_figure(owner: str, width: float, height: float) -> Any:
    """Return a figure of some inches that notebooks and ``pyplot.show()`` display."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise BackendNotAvailableError(_MISSING.format(owner)) from error
    return pyplot.figure(figsize=(width, height), layout="constrained")


def silent_figure(owner: str, width: float, height: float) -> Any:
    """Return a figure that is only saved, wherever there is no screen or other threads draw."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendNotAvailableError(_MISSING.format(owner)) from error
    return Figure(figsize=(width, height), layout="constrained")
