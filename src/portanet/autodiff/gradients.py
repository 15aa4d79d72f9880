"""Gradients of scalar functions: `grad`, `value_and_grad`, `gradient`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff import arguments, flat, implicit
from portanet.autodiff.engines import Engine, choose
from portanet.errors import ArgumentError, BackendMismatchError, DTypeError, ShapeError
from portanet.interface import Backend, backend_of, is_array


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
        `AutoTape` or `AutoFiniteDifference`; by default the arrays' own library differentiates,
        or the tape where it cannot.

    Returns
    -------
    callable
        Takes the arguments of `function` and returns ``value, gradient``, or
        ``(value, aux), gradient``. The gradient has the structure, shapes and dtypes of the
        argument (a tuple of them if `argnums` is a sequence). A part that does not reach the
        value has an exact zero. For complex arrays ``x - rate * gradient`` descends.

    Raises
    ------
    ArgumentError
        If `function` cannot be called, returns no pair in spite of `has_aux`, or `argnums` names
        an argument that is not there, or one twice.
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
    arguments.function("grad", function)
    arguments.flag("grad", "has_aux", has_aux)
    several = arguments.several(argnums)
    wanted: Sequence[int] = argnums if several else (argnums,)  # pyright: ignore

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        chosen = arguments.positions(wanted, len(args))

        def of_chosen(part: Any) -> Any:
            given = list(args)
            for i, value in zip(chosen, part if several else (part,), strict=True):
                given[i] = value
            return function(*given, **options)

        selected = tuple(args[i] for i in chosen)
        name = "arguments" if several else f"argument {argnums}"
        return evaluate(of_chosen, selected if several else selected[0], name, has_aux, ad)

    return wrapped


def evaluate(
    function: Callable[[Any], Any], tree: Any, name: str, has_aux: bool, ad: Engine | None
) -> tuple[Any, Any]:
    """Return the value, or ``(value, aux)``, of a function of one tree, and its gradient."""
    leaves, structure = flat.primals(tree, name)
    backend, engine = choose(ad, leaves)
    results = flat.Outputs(backend)

    def flattened(*arrays: Any) -> list[Any]:
        outcome = function(trees.unflatten(structure, arrays))
        if not has_aux:
            return [scalar(backend, outcome)]
        value, aux = _pair(outcome)
        return [scalar(backend, value), *results.split(aux)]

    (value, *aux), grads = engine.value_and_grad(flattened, leaves)
    gradient = trees.unflatten(structure, flat.zeros_for_missing(backend, grads, leaves))
    return ((value, results.join(aux)) if has_aux else value), gradient


def _pair(outcome: Any) -> tuple[Any, Any]:
    if isinstance(outcome, tuple) and len(outcome) == 2:
        return outcome
    raise ArgumentError(
        f"has_aux=True needs a function that returns (value, aux), not {_described(outcome)}"
    )


def _described(outcome: Any) -> str:
    if isinstance(outcome, tuple):
        return f"a tuple of {len(outcome)}"
    if is_array(outcome):
        return f"an array of shape {tuple(outcome.shape)}"
    return type(outcome).__name__


def scalar(backend: Backend, value: Any) -> Any:
    """Return what a function to differentiate returned, checked to be one real number."""
    if isinstance(value, implicit.Param):
        value = value.value
    if type(value) is float:
        value = backend.xp.asarray(value)
    if not is_array(value):
        hint = "; with an auxiliary result use has_aux=True" if type(value) is tuple else ""
        raise DTypeError(
            f"the value to differentiate must be a real array, not {_described(value)}{hint}"
        )
    if backend_of(value) is not backend:
        raise BackendMismatchError(
            f"the value to differentiate is an array of {backend_of(value).name}, but the "
            f"arguments are arrays of {backend.name}: compute it from them"
        )
    if value.shape != ():
        hint = ""
        if all(size == 1 for size in value.shape):
            hint = "; HIPS autograd takes one element in any shape (docs/autograd.md): y[0]"
        raise ShapeError(
            f"the value to differentiate must be a scalar: shape {tuple(value.shape)} != (); "
            f"reduce it with xp.sum or xp.mean, or use pn.jacobian or pn.vjp{hint}"
        )
    if not backend.is_real(value.dtype):
        hint = (
            "take xp.real or xp.abs of it"
            if backend.is_floating(value.dtype)
            else "what is counted, compared or rounded to integers has no derivative"
        )
        raise DTypeError(
            f"the value to differentiate must be real floating point, not {value.dtype}: {hint}"
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
