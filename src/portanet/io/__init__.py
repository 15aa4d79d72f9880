"""Files: parameters, states and whole training runs on disk."""

from portanet.io import npz, safetensors
from portanet.io.checkpointer import Checkpointer
from portanet.listing import listing

__all__ = ["Checkpointer", "npz", "safetensors"]
__dir__ = listing(__all__)
