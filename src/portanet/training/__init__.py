"""Training: a state that holds all there is, the step that moves it on, and the loop of steps."""

from portanet.training import callbacks, metrics
from portanet.training.evaluate import evaluate, predict
from portanet.training.fit import fit
from portanet.training.history import History
from portanet.training.run import Run
from portanet.training.state import TrainState
from portanet.training.step import apply_gradients, compute_gradients, train_step

__all__ = [
    "History",
    "Run",
    "TrainState",
    "apply_gradients",
    "callbacks",
    "compute_gradients",
    "evaluate",
    "fit",
    "metrics",
    "predict",
    "train_step",
]
