"""Modules of torch as layers, with their numbers."""
