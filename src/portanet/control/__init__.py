"""Loops and branches with derivatives: `scan`, `fori_loop`, `while_loop` and `cond`."""

from portanet.control.cond import cond
from portanet.control.loops import fori_loop
from portanet.control.scan import scan
from portanet.control.while_loop import while_loop

__all__ = ["cond", "fori_loop", "scan", "while_loop"]
