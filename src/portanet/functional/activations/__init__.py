"""Activations: elementwise functions between linear maps, and the softmax."""
