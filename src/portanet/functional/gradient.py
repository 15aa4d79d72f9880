"""Where derivatives end."""

from __future__ import annotations

from typing import Any

from portanet import tape
from portanet.functional._kernel import kernel


@kernel
def stop_gradient(x: Any) -> Any:
    """Return `x` as a constant: its value, without any derivative, in every mode and order.

    Parameters
    ----------
    x : array

    Returns
    -------
    array
        The same values.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([1.0, 2.0])
    >>> pn.grad(lambda x: np.sum(x * pn.stop_gradient(x)))(x)
    array([1., 2.])
    """
    return tape.strip(x)
