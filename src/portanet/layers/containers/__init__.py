"""Layers made of layers: in a row, side by side, or of a function."""
