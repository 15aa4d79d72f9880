"""Layers over images, ``(N, *spatial, C)``."""
