"""Attention, the layers of transformers, and decoding with a cache."""
