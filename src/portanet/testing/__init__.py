"""The kit with which an adapter, a rule or a layer of your own proves itself.

Each function raises `AssertionError` with what does not hold, or returns None. Any test framework
can call them.
"""

from portanet.listing import listing
from portanet.testing.backends import check_backend
from portanet.testing.compare import Snapshot, assert_close, assert_same_kind
from portanet.testing.differences import slope
from portanet.testing.layers import check_layer
from portanet.testing.rules import check_rule

__all__ = [
    "Snapshot",
    "assert_close",
    "assert_same_kind",
    "check_backend",
    "check_layer",
    "check_rule",
    "slope",
]
__dir__ = listing(__all__)
