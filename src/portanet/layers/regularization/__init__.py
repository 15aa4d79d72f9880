"""Layers that draw while they train."""
