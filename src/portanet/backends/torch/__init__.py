"""The adapter of PyTorch, and the native bodies of its kernels."""

from portanet.backends.torch.adapter import TorchBackend

__all__ = ["TorchBackend"]
