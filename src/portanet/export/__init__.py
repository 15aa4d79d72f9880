"""Functions and models for programs without portanet: as Python on NumPy alone, and as ONNX."""

from portanet.export.numpy_module import numpy
from portanet.export.onnx_model import onnx
from portanet.listing import listing

__all__ = ["numpy", "onnx"]
__dir__ = listing(__all__)
