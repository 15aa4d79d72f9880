"""Gradients of scalar functions: `grad`, `value_and_grad`, `gradient`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff import flat, implicit
from portanet.autodiff.engines import Engine, choose
from portanet.backends import Backend, is_array
from portanet.errors import DTypeError, ShapeError


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    ad: Engine | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the value of a scalar function and its gradient.

    Parameters
    ----------
    function : callable
        Returns a real floating-point array of shape ``()``; with `has_aux`, a pair of that and
        any tree, which is passed through.
    argnums : int or sequence of int
        The positional arguments to differentiate. Each may be any tree of floating-point arrays.
    has_aux : bool
        Whether `function` returns a pair.
    ad : engine, optional
        `AutoAutograd` or `AutoTorch`; by default the engine of the arrays' own library.

    Returns
    -------
    callable
        Takes the arguments of `function` and returns ``value, gradient``, or
        ``(value, aux), gradient``. The gradient has the structure, shapes and dtypes of the
        argument (a tuple of them if `argnums` is a sequence). A part that does not reach the
        value has an exact zero. For complex arrays ``x - rate * gradient`` descends.

    Raises
    ------
    DTypeError
        If something to be differentiated is not floating point, or the value is not real.
    ShapeError
        If the value is not a scalar.
    BackendMismatchError
        If the arrays are of two libraries.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> value, gradient = pn.value_and_grad(lambda p: p["a"] ** 2 * p["b"])({"a": 3.0, "b": 2.0})
    >>> float(value), {name: float(g) for name, g in gradient.items()}
    (18.0, {'a': 12.0, 'b': 9.0})
    """
    several = not isinstance(argnums, int)
    chosen = tuple(argnums) if several else (argnums,)

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        selected = tuple(args[i] for i in chosen)
        leaves, structure = flat.primals(
            selected if several else selected[0], "arguments" if several else f"argument {argnums}"
        )
        backend = choose(ad, leaves)
        results = flat.Outputs()

        def flattened(*arrays: Any) -> list[Any]:
            part = trees.unflatten(structure, arrays)
            given = list(args)
            for i, value in zip(chosen, part if several else (part,), strict=True):
                given[i] = value
            outcome = function(*given, **options)
            value, aux = _pair(outcome) if has_aux else (outcome, None)
            return results.split((_scalar(backend, value), aux))

        outputs, grads = backend.value_and_grad(flattened, leaves)
        value, aux = results.join(outputs)
        gradient = trees.unflatten(structure, flat.zeros_for_missing(backend, grads, leaves))
        return ((value, aux) if has_aux else value), gradient

    return wrapped


def _pair(outcome: Any) -> tuple[Any, Any]:
    if isinstance(outcome, tuple) and len(outcome) == 2:
        return outcome
    raise TypeError(f"has_aux=True needs a function that returns (value, aux), not {outcome!r}")


def _scalar(backend: Backend, value: Any) -> Any:
    if isinstance(value, float):
        value = backend.xp.asarray(value)
    if not is_array(value):
        raise DTypeError(f"the value to differentiate must be a real array, not {value!r}")
    if value.shape != ():
        raise ShapeError(
            f"the value to differentiate must be a scalar: shape {tuple(value.shape)} != (); "
            "reduce it with xp.sum or xp.mean, or use pn.jacobian or pn.vjp"
        )
    if not backend.xp.isdtype(value.dtype, "real floating"):
        raise DTypeError(
            f"the value to differentiate must be real floating point, not {value.dtype}: take "
            "xp.real or xp.abs of a complex one"
        )
    return value


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    ad: Engine | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the gradient of a scalar function.

    As `value_and_grad`, without the value: it returns ``gradient`` or ``(gradient, aux)``.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.grad(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    both = value_and_grad(function, argnums, has_aux, ad=ad)

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        value, gradient = both(*args, **options)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def gradient(function: Callable[..., Any], *args: Any, ad: Engine | None = None) -> Any:
    """Return the gradient of a scalar function at `args`: a tuple, one gradient an argument.

    With ``pn.params(...)`` as the only argument, `function` takes none, and the gradient with
    respect to each `Param` that it uses is looked up by the parameter itself.

    Parameters
    ----------
    function : callable
        Returns a real floating-point array of shape ``()``.
    *args : trees of floating-point arrays, or one `Params`
    ad : engine, optional

    Returns
    -------
    tuple or Grads

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x, y = np.array([2.0, 1.0]), np.array([2.0, 0.0])
    >>> pn.gradient(lambda x, y: ((x - y) ** 2).sum(), x, y)
    (array([0., 2.]), array([-0., -2.]))

    >>> w = pn.Param(np.array([1.0, 3.0]))
    >>> gradients = pn.gradient(lambda: (w * w).sum(), pn.params(w))
    >>> gradients[w]
    array([2., 6.])
    """
    if len(args) == 1 and isinstance(args[0], implicit.Params):
        names = args[0]
        bound = implicit.bound(function, names)
        return implicit.Grads(names, grad(bound, ad=ad)(names.values()))
    return grad(function, tuple(range(len(args))), ad=ad)(*args)
