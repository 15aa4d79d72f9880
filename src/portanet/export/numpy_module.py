"""Functions as modules of Python that need NumPy alone."""

from __future__ import annotations

import io as streams
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, shown
from portanet.export._arguments import Path, path_of
from portanet.export._module import MADE, TAKEN, module_of
from portanet.export._names import known_arrays, name_of
from portanet.export._program import exported
from portanet.export._proof import prove
from portanet.export._words import has_words
from portanet.io.atomic import replace


def numpy(
    function: Callable[..., Any], path: Path, *examples: Any, batch_axis: int | None = 0
) -> None:
    """Write a function as a module of Python that needs NumPy alone.

    The function is recorded, and what it did with its arguments is written down: one statement an
    operation, in the words of NumPy. What it held, such as the parameters of a model, lies beside
    the module, in a file of the same name that ends in ``.npz``. The module has a function of the
    name of `function`, ``predict`` for a lambda, which takes the same arguments.

    Before anything is written the module is run: with the examples, with one row, and with more
    rows, and its results are compared with those of `function`.

    Parameters
    ----------
    function : callable
        A pure function of arrays, or of trees of them, that returns arrays or a tree of them.
        Branches and loops of Python are taken as they go for the examples; `cond`, `scan` and
        `while_loop` become those of Python. It may be a derivative, such as ``pn.grad(f)``.
    path : str or path
        The module to be written; it ends in ``.py``. What was there is replaced.
    *examples : tree of arrays of NumPy
        An argument each. Their shapes and dtypes are those that the module takes.
    batch_axis : int or None
        The axis along which all arguments have one length, which may be any in the module. With
        None they have the shapes of the examples alone.

    Raises
    ------
    ArgumentError
        If `function` draws random numbers, returns something else than arrays, does not do the
        same for batches of every size, or uses what NumPy has no function for.
    BackendMismatchError
        If an example is no array of NumPy.
    ShapeError
        If the lengths along `batch_axis` differ.
    ExportError
        If the results of the module are not those of `function`.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(4, 8, pn.relu), pn.Dense(8, 2))
    >>> ps, st = pn.setup(0, model)
    >>> def predict(x):
    ...     return model(x, ps, st)[0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.export.numpy(predict, f"{folder}/classifier.py", np.ones((3, 4), np.float32))
    ...     text = pathlib.Path(f"{folder}/classifier.py").read_text()
    >>> print(text[text.index("def predict") :])
    def predict(x):
        x = checked('x', x, 'float32', ('n', 4))
        v1 = np.maximum(x @ layer_1_weight + layer_1_bias, 0.0)
        v2 = v1 @ layer_2_weight + layer_2_bias
        return v2
    <BLANKLINE>
    """
    path = path_of("numpy", path)
    stem, ending = os.path.splitext(path)
    if ending != ".py" or not os.path.basename(stem).isidentifier():
        raise ArgumentError(
            "pn.export.numpy: path is that of a module that can be imported, such as "
            f"'classifier.py': got {shown(path)}"
        )
    whole = exported(function, examples, batch_axis, has_words)
    known = known_arrays(function)
    module = module_of(
        whole, name_of(function, TAKEN), {key: name for key, (name, _) in known.items()}
    )
    prove(module.function(), function, whole.trials)
    if module.arrays:
        file = streams.BytesIO()
        arrays: dict[str, Any] = {**module.arrays, MADE: np.array(module.made)}
        np.savez(file, **arrays)
        replace(f"{stem}.npz", file.getvalue())
    replace(path, module.text.encode())
