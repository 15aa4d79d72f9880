"""Training: a state that holds all there is, and the step that moves it on."""

from portanet.training.state import TrainState
from portanet.training.step import apply_gradients, compute_gradients, train_step

__all__ = ["TrainState", "apply_gradients", "compute_gradients", "train_step"]
