"""Where derivatives end."""

from __future__ import annotations

from typing import Any

from portanet import tape, trees
from portanet.functional.kernel import kernel
from portanet.interface import is_array


@kernel
def detach(x: Any) -> Any:
    """Return an array without its derivatives."""
    return tape.detached(x)


def stop_gradient(x: object) -> Any:
    """Return `x` as a constant: its values, without any derivative, in every mode and order.

    Parameters
    ----------
    x : array or tree
        Leaves that are no arrays pass through.

    Returns
    -------
    array or tree
        The same values.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([1.0, 2.0])
    >>> pn.grad(lambda x: np.sum(x * pn.stop_gradient(x)))(x)
    array([1., 2.])
    """
    return detach(x) if is_array(x) else trees.map_leaves(_leaf, x)


def _leaf(x: Any) -> Any:
    if isinstance(x, tape.Box) and not is_array(x):  # a Param
        x = x.value
    return detach(x) if is_array(x) else x
