"""Training: a state that holds all there is, the step that moves it on, the loop, minimisation."""

from portanet.listing import listing
from portanet.training import callbacks, metrics
from portanet.training.evaluate import evaluate, predict
from portanet.training.fit import fit
from portanet.training.history import History
from portanet.training.learning_rate import LearningRateTest, learning_rate_test
from portanet.training.minimization.minimize import minimize
from portanet.training.minimization.progress import Minimum
from portanet.training.minimization.scipy_objective import ScipyObjective, scipy_objective
from portanet.training.precision.mixed import mixed_precision
from portanet.training.precision.model import MixedPrecision
from portanet.training.run import Run
from portanet.training.state import TrainState
from portanet.training.steps.many_steps import train_steps
from portanet.training.steps.step import apply_gradients, clear_steps, compute_gradients, train_step

__all__ = [
    "History",
    "LearningRateTest",
    "Minimum",
    "MixedPrecision",
    "Run",
    "ScipyObjective",
    "TrainState",
    "apply_gradients",
    "callbacks",
    "clear_steps",
    "compute_gradients",
    "evaluate",
    "fit",
    "learning_rate_test",
    "metrics",
    "minimize",
    "mixed_precision",
    "predict",
    "scipy_objective",
    "train_step",
    "train_steps",
]
__dir__ = listing(__all__)
