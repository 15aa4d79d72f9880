"""Files: parameters and states on disk."""

from portanet.io import safetensors
from portanet.listing import listing

__all__ = ["safetensors"]
__dir__ = listing(__all__)
