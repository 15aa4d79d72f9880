"""Whole matrices of derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.autodiff import arguments, directions, flat
from portanet.autodiff.engines import Differentiator, Engine, choose
from portanet.errors import ArgumentError, DTypeError, ShapeError, shown
from portanet.interface import Backend, is_array_of


def jacobian(
    function: Callable[..., Any],
    argnum: int = 0,
    *,
    mode: str = "auto",
    chunk_size: int | None = None,
    ad: Engine | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of an array-valued function.

    The engine runs once for all directions together.

    Parameters
    ----------
    function : callable
        Returns a tree of floating-point arrays.
    argnum : int
        The positional argument to differentiate: a tree of floating-point arrays.
    mode : {"auto", "forward", "reverse"}
        Forward mode needs a direction for each input, reverse mode one for each output. By
        default reverse mode is used, unless there are fewer inputs than outputs, or complex
        outputs, which have a Jacobian in forward mode only; `function` is then run twice.
    chunk_size : int, optional
        How many directions go through the function together. Memory grows with it; by default
        all do.
    ad : engine, optional

    Returns
    -------
    callable
        Takes the arguments of `function`. For an output of shape ``s`` and an input of shape
        ``t`` the entry has shape ``s + t`` and the dtype of the output. Trees give the
        structure of the output, with the structure of the input inside each leaf.

    Raises
    ------
    ArgumentError
        If `mode` is unknown, `chunk_size` is not positive, or `argnum` is no argument.
    DTypeError
        If an output is not floating point, or it is real while the input is complex: such a
        function has no complex derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.jacobian(lambda x: np.stack([x[0] * x[1], x[0] + x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 1.]])
    """
    arguments.function("jacobian", function)
    arguments.several((argnum,))
    _check_options(mode, chunk_size)

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        (place,) = arguments.positions((argnum,), len(args))
        leaves, structure = flat.primals(args[place], f"argument {argnum}")
        backend, engine = choose(ad, leaves)
        results = flat.Outputs(backend)

        def flattened(*arrays: Any) -> list[Any]:
            given = list(args)
            given[place] = trees.unflatten(structure, arrays)
            outputs = results.split(function(*given, **options))
            if len(outputs) != len(results.leaves):
                raise DTypeError(
                    f"jacobian needs a function that returns arrays of {backend.name} only"
                )
            _check_outputs(backend, leaves, outputs)
            return outputs

        blocks = _blocks(backend, engine, flattened, leaves, mode, chunk_size)
        return results.join([trees.unflatten(structure, row) for row in blocks])

    return wrapped


def batched_jacobian(
    function: Callable[..., Any], argnum: int = 0, *, mode: str = "auto", ad: Engine | None = None
) -> Callable[..., Any]:
    """Make a function that returns one Jacobian a sample, for a function of a whole batch.

    The samples share the directions, so this costs as many as one sample has.

    Parameters
    ----------
    function : callable
        Takes an array whose first axis is the batch, and returns such an array. It must not mix
        samples (as batch normalisation does in training mode): the derivatives of all samples
        by one input would be summed.
    argnum : int
        The positional argument to differentiate.
    mode : {"auto", "forward", "reverse"}
        As in `jacobian`, with the sizes of one sample.
    ad : engine, optional

    Returns
    -------
    callable
        Takes the arguments of `function`. For outputs of shape ``(n, *s)`` and inputs of shape
        ``(n, *t)`` the result has shape ``(n, *s, *t)``.

    Raises
    ------
    ArgumentError
        If `mode` is unknown or `argnum` is no argument.
    ShapeError
        If input and output are not single arrays with the same first axis.
    DTypeError
        As in `jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> pn.batched_jacobian(lambda x: x * x)(x)
    array([[[2., 0.],
            [0., 4.]],
    <BLANKLINE>
           [[6., 0.],
            [0., 8.]]])
    """
    arguments.function("batched_jacobian", function)
    arguments.several((argnum,))
    _check_options(mode, None)

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        (place,) = arguments.positions((argnum,), len(args))
        leaves, structure = flat.primals(args[place], f"argument {argnum}")
        backend, engine = choose(ad, leaves)
        if structure != trees.flatten(0.0)[1] or leaves[0].ndim == 0:
            raise ShapeError("batched_jacobian needs an array of a batch of samples: x.ndim >= 1")

        def flattened(x: Any) -> list[Any]:
            y = function(*args[:place], x, *args[place + 1 :], **options)
            if not is_array_of(backend, y) or y.ndim == 0 or y.shape[0] != x.shape[0]:
                raise ShapeError(
                    "batched_jacobian needs a function that keeps the first axis: "
                    f"shape {tuple(getattr(y, 'shape', ()))} for x.shape {tuple(x.shape)}"
                )
            _check_outputs(backend, leaves, [y])
            return [y]

        return _blocks(backend, engine, flattened, leaves, mode, None, shared=1)[0][0]

    return wrapped


def _check_options(mode: str, chunk_size: int | None) -> None:
    if not isinstance(mode, str) or mode not in ("auto", "forward", "reverse"):
        raise ArgumentError(f'mode is "auto", "forward" or "reverse", not {shown(mode)}')
    if chunk_size is not None and (type(chunk_size) is not int or chunk_size < 1):
        raise ArgumentError(f"chunk_size is an integer >= 1: got {shown(chunk_size)}")


def _check_outputs(backend: Backend, inputs: list[Any], outputs: list[Any]) -> None:
    for y in outputs:
        if not backend.is_floating(y.dtype):
            raise DTypeError(f"jacobian needs floating-point outputs, not {y.dtype}")
    if any(_is_complex(backend, x) for x in inputs) and not all(
        _is_complex(backend, y) for y in outputs
    ):
        raise DTypeError("a real function of complex arrays has no complex Jacobian: use pn.grad")


def _is_complex(backend: Backend, x: Any) -> bool:
    return backend.xp.isdtype(x.dtype, "complex floating")


def _blocks(
    backend: Backend,
    engine: Differentiator,
    function: Any,
    inputs: list[Any],
    mode: str,
    chunk: int | None,
    shared: int = 0,
) -> list[list[Any]]:
    """Return the Jacobian of each output, a row, by each input."""
    sources = directions.Spans(backend, inputs, shared)
    if mode == "forward" and sources.size > 0:
        return directions.by_columns(backend, engine.jvp, function, inputs, sources, chunk)
    outputs, pull = engine.vjp(function, inputs)
    targets = directions.Spans(backend, outputs, shared)
    if sources.size == 0 or targets.size == 0:
        return directions.zeros(backend, targets, sources)
    if any(_is_complex(backend, y) for y in outputs):
        if mode == "reverse":
            raise DTypeError(
                'complex outputs have a Jacobian in forward mode only: pass mode="forward"'
            )
        mode = "forward"
    if mode == "forward" or (mode == "auto" and sources.size < targets.size):
        return directions.by_columns(backend, engine.jvp, function, inputs, sources, chunk)
    return directions.by_rows(backend, pull, targets, sources, chunk)
