"""Training: a state that holds all there is, the step that moves it on, and minimisation."""

from portanet.training.minimization.minimize import minimize
from portanet.training.minimization.progress import Minimum
from portanet.training.minimization.scipy_objective import ScipyObjective, scipy_objective
from portanet.training.state import TrainState
from portanet.training.step import apply_gradients, compute_gradients, train_step

__all__ = [
    "Minimum",
    "ScipyObjective",
    "TrainState",
    "apply_gradients",
    "compute_gradients",
    "minimize",
    "scipy_objective",
    "train_step",
]
