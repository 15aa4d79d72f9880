"""Loops and branches with derivatives: `scan`, `fori_loop` and `cond`."""

from portanet.control.cond import cond
from portanet.control.loops import fori_loop
from portanet.control.scan import scan

__all__ = ["cond", "fori_loop", "scan"]
