"""Files: parameters and states on disk."""

from portanet.io import safetensors

__all__ = ["safetensors"]
