"""Layers that are linear maps of features."""
