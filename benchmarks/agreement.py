"""The results of all contenders are compared before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def agree(
    title: str, results: Mapping[str, Sequence[Any]], rtol: float = 2e-4, atol: float = 1e-6
) -> None:
    """Raise unless every contender found what the first one did."""
    names = iter(results)
    reference = results[next(names)]
    for name in names:
        for found, wanted in zip(results[name], reference, strict=True):
            np.testing.assert_allclose(
                np.asarray(found), wanted, rtol=rtol, atol=atol, err_msg=f"{title}: {name}"
            )
