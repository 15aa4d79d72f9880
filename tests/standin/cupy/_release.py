"""The names and parameters of the release that is stood in for: 14, or as the tests say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

MAJOR = os.environ.get("PORTANET_TEST_CUPY", "14")
TABLE = json.loads((Path(__file__).parent / f"release-{MAJOR}.json").read_text())
VERSION = TABLE["version"]


def checked(name: str, parameters: str | None) -> Callable[..., None]:
    """Return a function that takes the arguments of `name`, and does nothing with them."""
    check = eval(f"lambda {'*args, **options' if parameters is None else parameters}: None")
    check.__name__ = check.__qualname__ = name
    return check
