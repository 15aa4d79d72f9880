"""The names and parameters of the release that is stood in for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLE = json.loads((Path(__file__).parent / "release.json").read_text())
VERSION = TABLE["version"]


def checked(name: str, parameters: str | None) -> Callable[[int, Any], None]:
    """Return a check of how many arguments a call has by place, and of the names of the others."""
    texts = [] if parameters is None else parameters.split(", ")
    names = {x.rstrip("=") for x in texts if not x.startswith("*") and x != "/"}
    places = texts[: texts.index("*")] if "*" in texts else texts
    most = sum(not x.startswith("*") and x != "/" for x in places)
    if parameters is None or any(x.startswith("*") and x != "*" for x in texts):
        most = 1_000_000
    if parameters is None or any(x.startswith("**") for x in texts):
        return lambda count, options: None
    if "/" in texts:
        names -= {x.rstrip("=") for x in texts[: texts.index("/")]}

    def check(count: int, options: Any) -> None:
        if count > most:
            raise TypeError(f"{name}() takes {most} positional arguments but {count} were given")
        if options and not options.keys() <= names:
            unknown = next(iter(options.keys() - names))
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown!r}")

    return check
