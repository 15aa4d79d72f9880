"""jit: record a function once, then replay it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.errors import ArgumentError
from portanet.tracing.call.arguments import Marked
from portanet.tracing.call.jitted import Jitted
from portanet.tracing.call.signature import refuse_changing


def jit(
    function: Callable[..., Any],
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    mode: str | None = None,
) -> Jitted:
    """Make a function that is recorded once and then replayed, without Python in between.

    The first call runs `function` with stand-ins for the arrays and writes down what it does with
    them; that is replayed, in the first call and in all later ones. Results are those of
    `function`, up to rounding, and the same to the last bit in every call.

    Parameters
    ----------
    function : callable
        Takes and returns trees. Its arrays, random keys and counters are inputs. Everything else
        among the arguments is static: for another number, text or shape, dtype, device or
        structure it is recorded again, and so it is when something that it reads around it has
        changed: names, attributes, entries, the content of small arrays. What it does beside
        computing, such as printing, happens only while it is recorded.
    static_argnums, static_argnames : int or str, or several, optional
        Arguments, by position or by name, that are static as a whole, whatever they hold: objects
        with a hash, told apart by ``==``. A name stands for its position too, and the other way
        round.
    donate_argnums : int or several, optional
        The positions of arguments, or the names that belong to them, whose arrays are not used
        again by the caller: results may take their memory. JAX then deletes them; elsewhere
        nothing tells a donated array from others, and it may hold anything after the call.
    mode : str, optional
        For arrays of torch alone: what ``torch.compile`` is given as its own `mode`, such as
        ``"max-autotune"``. On CUDA that is ``"reduce-overhead"`` otherwise, whose CUDA graphs
        launch a whole function at once and keep its memory; ``"default"`` makes none.

    Returns
    -------
    Jitted
        Called as `function` is. `Jitted.cache_info`, `Jitted.source` and `Jitted.explain` tell
        what it holds.

    Raises
    ------
    TracedValueError
        By a call, where `function` asks for the value of an array: ``if x > 0``, ``float(x)``,
        ``x[0] = 1``, draws random numbers without a key, or returns an array in an object that is
        no tree.
    ArgumentError
        If `function` is not callable or a `StatefulModel`, or an option is no number or name; by
        a call with a static argument that cannot be hashed, or that is known to change, such as a
        NumPy generator; with a `mode` for arrays of a library that has no such.

    Notes
    -----
    Inside a derivative, a batch or another jitted function it is as if `function` itself were
    called. On NumPy the replay is a flat list of calls that write into memory kept between calls;
    results never lie in it. array_api_strict and CuPy replay their own functions, JAX uses
    ``jax.jit`` and torch ``torch.compile``, which takes seconds at the first call; where that
    cannot be used, one warning says why, and functions run as they are. Where nearly every call
    would be recorded anew, one warning says so too, and calls that were not seen before run as
    they are. If a replay fails, `function` runs in its place: the error is the user's own then, or
    a warning asks for a report.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> slope = pn.jit(pn.grad(lambda x: np.sum(np.sin(x))))
    >>> slope(np.zeros(2)), slope(np.zeros(2))
    (array([1., 1.]), array([1., 1.]))
    >>> slope.cache_info()[:3]
    (1, 1, 1)
    """
    refuse_changing(function)
    if not callable(function):
        raise ArgumentError(f"pn.jit: function is callable: got {type(function).__name__}")
    static = Marked(function, "static", static_argnums, static_argnames)
    donated = Marked(function, "donate", donate_argnums)
    return Jitted(function, static, donated, mode=mode)
