"""Layers that give numbers and positions vectors."""
