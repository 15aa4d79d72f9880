"""`mixed_precision`: a training state whose model computes in 16 bits."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks, trees
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, shown
from portanet.functional.bfloat16 import emulates_bfloat16
from portanet.interface import backend_of, dtype_name
from portanet.layers.wrappers.precision import is_floating
from portanet.training.precision.loss_scale import initial_scale as scale_state
from portanet.training.precision.model import MixedPrecision
from portanet.training.state import TrainState, check_state

_SCALE = 2.0**16  # torch's first one: the first few steps find the largest that fits


def mixed_precision(
    ts: TrainState,
    dtype: str = "float16",
    *,
    initial_scale: float | None = None,
    growth_interval: int = 2000,
) -> TrainState:
    r"""Let the model of a training state compute in 16 bits, and train its parameters in 32.

    The parameters stay in float32, as does what the optimizer keeps. Each call of the model
    converts its input, parameters and states to `dtype` and its output back, so that losses,
    metrics and targets are in float32. Normalisations work in float32 on parameters and running
    statistics in float32.

    In float16 the loss is multiplied by a scale before it is differentiated, and the gradients are
    divided by it: small ones would be zero otherwise. If one of them is not finite, the step is
    left out: parameters, optimizer and the count of steps stay as they are, and the scale is
    halved. After `growth_interval` steps without that it is doubled. bfloat16, with the range of
    float32, needs no scale.

    Parameters
    ----------
    ts : TrainState
        The training state, with floating parameters in float32 or float64.
    dtype : {"float16", "bfloat16"}
        What the model computes in.
    initial_scale : float, optional
        The first scale, above 0. By default 65536 for float16 and none for bfloat16.
    growth_interval : int, default 2000
        The number of steps after which the scale is doubled.

    Returns
    -------
    TrainState
        Trained by `train_step`, `fit` and all others as before. ``ts.model.layer`` is the model
        itself, ``ts.parameters`` fit both, and ``ts.states["model"]`` are its states;
        ``ts.states["loss_scale"]`` has ``scale``, ``clean_steps`` and ``finite``, whether the
        last gradients were.

    Raises
    ------
    ArgumentError, HyperparameterError
        If `ts` is no training state or is in mixed precision already, or an option is of another
        kind or out of range.
    DTypeError
        If a parameter is of 16 bits, or the library lacks `dtype`.
    ParameterTreeError
        If there is no floating parameter.

    Notes
    -----
    On NumPy, bfloat16 is what the package ml_dtypes rounds to: input, parameters and output of the
    model are such numbers, and it computes with them in float32.

    `train_step` asks after each step whether the gradients were finite, for which an accelerator
    is waited for; it does not donate memory.

    References
    ----------
    .. [1] P. Micikevicius et al., "Mixed precision training", ICLR 2018, arXiv:1710.03740.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(1, 16, pn.tanh), pn.BatchNorm(16), pn.Dense(16, 1))
    >>> ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.03))
    >>> ts = pn.training.mixed_precision(ts, "float16")
    >>> x = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
    >>> for _ in range(200):
    ...     value, _, ts = pn.training.train_step(pn.MSELoss(), (x, x**2), ts)
    >>> bool(value < 0.01), ts.parameters["layer_1"]["weight"].dtype
    (True, dtype('float32'))
    """
    check_state(ts)
    if isinstance(ts.model, MixedPrecision):
        raise ArgumentError("mixed_precision: ts is in mixed precision already")
    if dtype not in ("float16", "bfloat16"):
        raise ArgumentError(
            f'mixed_precision: dtype is "float16" or "bfloat16": got {shown(dtype)}'
        )
    growth_interval = checks.integer("mixed_precision: growth_interval", growth_interval, 1)
    if initial_scale is None and dtype == "float16":
        initial_scale = _SCALE
    if initial_scale is not None and not _is_positive(initial_scale):
        raise ArgumentError(
            f"mixed_precision: initial_scale is a number > 0: got {shown(initial_scale)}"
        )
    first = _first_floating(ts.parameters)
    _check_dtype(first, dtype)
    states: dict[str, Any] = {"model": ts.states}
    if initial_scale is not None:
        states["loss_scale"] = scale_state(first, float(initial_scale))
    interval = None if initial_scale is None else growth_interval
    return ts.replaced(model=MixedPrecision(ts.model, dtype, interval), states=states)


def _check_dtype(x: Any, dtype: str) -> None:
    """Raise `DTypeError` unless the library of `x` computes in `dtype`, or rounds to it."""
    if dtype == "bfloat16" and emulates_bfloat16(x):
        return
    try:
        backend_of(x).dtype(dtype)
    except DTypeError as error:
        advice = ": NumPy has it through the package ml_dtypes" if dtype == "bfloat16" else ""
        raise DTypeError(f"mixed_precision: {error.message}{advice}") from None


def _is_positive(x: Any) -> bool:
    number = isinstance(x, int | float) and not isinstance(x, bool)
    return number and 0 < x < math.inf


def _first_floating(parameters: Any) -> Any:
    """Return the first floating parameter; none may be of 16 bits."""
    rows = [row for row in trees.flatten_with_paths(parameters) if is_floating(row[1])]
    for path, x in rows:
        if dtype_name(x) in ("float16", "bfloat16"):
            raise DTypeError(
                f"mixed_precision: {path!r} is in float32 or wider: {dtype_name(x)}: convert the "
                f'parameters with pn.astype(ps, "float32")'
            )
    if not rows:
        raise ParameterTreeError("mixed_precision: ts has a floating parameter: there is none")
    return rows[0][1]
