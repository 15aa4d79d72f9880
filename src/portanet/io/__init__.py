"""What comes in and stays: parameters, states and training runs on disk; networks of torch."""

from portanet.io import npz, safetensors
from portanet.io.checkpointer import Checkpointer
from portanet.io.from_torch import from_torch
from portanet.listing import listing

__all__ = ["Checkpointer", "from_torch", "npz", "safetensors"]
__dir__ = listing(__all__)
