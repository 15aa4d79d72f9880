"""Mixed precision: models that compute in 16 bits, and the scale that keeps their gradients."""
