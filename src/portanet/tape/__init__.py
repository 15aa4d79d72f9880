"""The tape: forward and reverse differentiation for array libraries that have none."""

from portanet.tape.box import Box, detached, strip
from portanet.tape.checkpoint import checkpoint
from portanet.tape.custom import custom
from portanet.tape.custom_rule import Operation
from portanet.tape.namespace import Namespace
from portanet.tape.trace import jvp, vjp

__all__ = [
    "Box",
    "Namespace",
    "Operation",
    "checkpoint",
    "custom",
    "detached",
    "jvp",
    "strip",
    "vjp",
]
