"""The tape: forward and reverse differentiation for array libraries that have none."""

from portanet.tape.box import Box, strip
from portanet.tape.namespace import Namespace
from portanet.tape.trace import jvp, vjp

__all__ = ["Box", "Namespace", "jvp", "strip", "vjp"]
