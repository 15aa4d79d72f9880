"""Trees of parameters: as one vector, by their paths, in another precision."""
