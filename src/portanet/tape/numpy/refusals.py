"""What a function that was called with traced arrays answers to arguments that it does not take."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from portanet.errors import NonFiniteError, PortanetError
from portanet.tape.box import Box, at_hand
from portanet.tape.trace import Captured


def raise_refusal(
    name: str, function: Callable[..., Any], error: Exception, args: Sequence[Any],
    options: Mapping[str, Any],
) -> NoReturn:  # fmt: skip
    """Raise what the library's own `function` says of the values at hand, if it refuses them too.

    Else that is `error`, and where it is of the family, with the `name` of the function that the
    user called, not that of an inner one.
    """
    if not isinstance(error, Captured):
        own = _own_refusal(function, args, options)
        if own is not None:
            raise own from None
    of_values = isinstance(error, NonFiniteError)  # `debug` looks at results: nothing is refused
    if isinstance(error, PortanetError) and not of_values and name not in error.message:
        inner = re.match(r"(numpy|scipy)(\.\w+)+", error.message)
        said = f": {error.message}" if inner is None else error.message[inner.end() :]
        error.message = f"{name}{said}"
    raise error


def _own_refusal(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> Exception | None:
    if options.get("out") is not None:
        return None
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*map(_plain, args), **{key: _plain(x) for key, x in options.items()})
    except PortanetError:  # of a traced array elsewhere, in what `function` calls
        return None
    except Exception as own:
        return own
    return None


def _plain(x: Any) -> Any:
    """Return an argument with the arrays of this run in the place of traced ones."""
    if isinstance(x, list | tuple):
        return getattr(type(x), "_make", type(x))([_plain(part) for part in x])
    return at_hand(x) if isinstance(x, Box) else x
