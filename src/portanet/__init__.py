"""Neural networks with explicit parameters and states on any Array API library."""

from portanet.autodiff import *  # noqa: F403
from portanet.backends import array_namespace
