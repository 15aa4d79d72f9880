"""Normalisation of features and of weights."""
