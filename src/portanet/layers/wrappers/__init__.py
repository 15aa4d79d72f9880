"""Layers around one other: its parameters frozen, tied, generated, or in another precision."""
