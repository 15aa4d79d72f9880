"""What a model measures: the numbers in its trees and the shape of its output."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import trees
from portanet.checks import LARGEST
from portanet.core.depth import within_depth
from portanet.core.display import count_numbers
from portanet.core.layer import Layer
from portanet.core.modes import test_mode
from portanet.core.setup import drawn, setup
from portanet.errors import HyperparameterError, shown


def parameter_count(model: Any) -> int:
    """Return how many trainable numbers a model, or a tree of parameters, has.

    Parameters
    ----------
    model : Layer or tree
        A model, whose parameters are drawn to be counted, or parameters.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.parameter_count(pn.Dense(1, 16))
    32
    """
    if isinstance(model, Layer):
        model = drawn(model.initial_parameters, np.random.default_rng(0))
    return count_numbers(model)


def state_count(model: Any) -> int:
    """Return how many numbers the states of a model, or a tree of states, have.

    What is no array, such as a mode or a random key, counts as one.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.state_count(pn.BatchNorm(5))  # a mean and a variance for each, and the mode
    11
    """
    if isinstance(model, Layer):
        model = drawn(model.initial_states, np.random.default_rng(0))
    return count_numbers(model)


@within_depth
def output_shape(
    model: Layer, input_shape: Any, rng: np.random.Generator | int = 0
) -> tuple[int, ...]:
    """Return the shape of a model's output, without the batch axis.

    A layer that knows the answer is asked. Others are run in test mode on a batch of float32
    zeros.

    Parameters
    ----------
    model : Layer
        The model.
    input_shape : tuple of int, or tuple of such tuples
        The shape of the input without its batch axis; for a model with several inputs, of each.
    rng : numpy.random.Generator or int
        What draws the parameters for the run.

    Raises
    ------
    HyperparameterError
        If `input_shape` is no shape.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.output_shape(pn.Chain(pn.Dense(3, 8, pn.relu), pn.Dense(8, 2)), (3,))
    (2,)
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(f"output_shape: model is a portanet.Layer: got {shown(model)}")
    known = model.output_shape(input_shape)
    if known is not None:
        return known
    x = _zeros(input_shape)
    ps, st = setup(rng, model, x)
    y, _ = model(x, ps, test_mode(st))
    return trees.map_leaves(lambda leaf: tuple(leaf.shape[1:]), y)


def _zeros(shape: Any) -> Any:
    try:
        return _zeros_of(shape)
    except RecursionError:
        trees.refuse_depth()


def _zeros_of(shape: Any) -> Any:
    if not isinstance(shape, list | tuple):
        raise HyperparameterError(f"input_shape is a tuple of integers: got {shown(shape)}")
    if shape and all(isinstance(entry, list | tuple) for entry in shape):
        return tuple(map(_zeros_of, shape))
    for size in shape:
        if (
            isinstance(size, bool)
            or not isinstance(size, int | np.integer)
            or not 0 <= size <= LARGEST
        ):
            raise HyperparameterError(f"input_shape is a tuple of sizes >= 0: got {shown(shape)}")
    return np.zeros((2, *shape), np.float32)
