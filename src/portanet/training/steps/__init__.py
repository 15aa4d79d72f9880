"""One step of training: gradients and an update, recorded, on vectors, or by several workers."""
