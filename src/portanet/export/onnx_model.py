"""Functions as ONNX models."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError, BackendNotAvailableError, shown
from portanet.export._arguments import Path, path_of
from portanet.export._interpreter import OPERATORS, Interpreter, found
from portanet.export._onnx_words import WINDOWS, WORDS, NoConvolution
from portanet.export._program import Exported, exported
from portanet.export._proof import prove
from portanet.io.atomic import replace


def onnx(
    function: Callable[..., Any], path: Path, *examples: Any, batch_axis: int | None = 0
) -> None:
    """Write a function as an ONNX model.

    The function is recorded, and what it did with its arguments is done again on arrays of ndonnx,
    which write ONNX down. An input of the model is called as the argument of the function, one
    within a tree by its dotted path; a result ``output``, or ``output.`` and its path.
    Convolutions of float32 become ``Conv``, loops the steps that they take, and `cond` both sides.

    Before anything is written onnxruntime runs the model: on the examples, on one row, and on more
    rows, and its results are compared with those of `function`.

    Parameters
    ----------
    function, path, *examples, batch_axis
        As for `numpy`; the path ends in ``.onnx``.

    Raises
    ------
    BackendNotAvailableError
        Without ndonnx or onnxruntime: ``pip install "portanet[onnx]"``.
    ArgumentError, BackendMismatchError, ShapeError, ExportError, OSError
        As by `numpy`. ndonnx has no linear algebra beyond products, and no Fourier transforms.

    Notes
    -----
    An index out of range is an error of onnxruntime, but a negative one counts from the end.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(4, 8, pn.relu), pn.Dense(8, 2))
    >>> ps, st = pn.setup(0, model)
    >>> def predict(x):
    ...     return model(x, ps, st)[0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.export.onnx(predict, f"{folder}/classifier.onnx", np.ones((3, 4), np.float32))
    ...     session = onnxruntime.InferenceSession(f"{folder}/classifier.onnx")
    >>> session.run(["output"], {"x": np.ones((5, 4), np.float32)})[0].shape
    (5, 2)
    """
    path = path_of("onnx", path)
    if os.path.splitext(path)[1] != ".onnx":
        raise ArgumentError(f"pn.export.onnx: path ends in '.onnx': got {shown(path)}")
    ndonnx, runtime = _required("ndonnx"), _required("onnxruntime")

    def knows(name: str) -> bool:
        return name in WORDS or name in OPERATORS or found(ndonnx, name) is not None

    def without_windows(name: str) -> bool:
        return name not in WINDOWS and knows(name)

    try:
        whole = exported(function, examples, batch_axis, knows)
        model = _model(ndonnx, whole)
    except NoConvolution:
        whole = exported(function, examples, batch_axis, without_windows)
        model = _model(ndonnx, whole)
    content = model.SerializeToString()
    prove(_session(runtime, content, whole), function, whole.trials)
    replace(path, content)


def _model(ndonnx: Any, whole: Exported) -> Any:
    """Return the model of a program."""
    axis, given = whole.arguments.batch_axis, {}
    for path, variable in zip(whole.arguments.paths, whole.program.inputs, strict=True):
        shape = tuple("n" if i == axis else size for i, size in enumerate(variable.shape))
        dtype = getattr(ndonnx, np.dtype(variable.dtype).name)
        given[path] = ndonnx.argument(shape=shape, dtype=dtype)
    inputs = list(given.values())
    size = None if axis is None else inputs[0].dynamic_shape[axis]
    outputs = Interpreter(ndonnx, size, WORDS).run(whole.program, inputs)
    return ndonnx.build(given, dict(zip(_names(whole), outputs, strict=True)))


def _names(whole: Exported) -> list[str]:
    """Return the names of the results."""
    places = trees.unflatten(whole.structure, list(range(whole.structure.num_leaves)))
    paths = (path for path, _ in trees.flatten_with_paths(places))
    return [f"output.{path}" if path else "output" for path in paths]


def _session(runtime: Any, content: bytes, whole: Exported) -> Callable[..., Any]:
    """Return a function that runs a model on arguments like those of the function."""
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    known = {each.name for each in session.get_inputs()}

    def run(*args: Any) -> Any:
        leaves = zip(whole.arguments.paths, trees.leaves(list(args)), strict=True)
        results = session.run(_names(whole), {k: x for k, x in leaves if k in known})
        return trees.unflatten(whole.structure, results)

    return run


def _required(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendNotAvailableError(
            f'pn.export.onnx needs the package {name}: pip install "portanet[onnx]"'
        ) from error
