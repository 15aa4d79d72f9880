"""Layers that normalise features, or the weights of another layer."""
