"""MLX as a backend of portanet: its arrays and devices, with the derivatives of portanet's tape."""

from portanet_mlx.adapter import MlxBackend

__all__ = ["MlxBackend"]
