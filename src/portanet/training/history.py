"""What came out of each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from portanet.errors import BackendNotAvailableError


class History(Mapping[str, np.ndarray]):
    """The loss, the metrics and the statistics of each epoch, by name.

    ``history["loss"]`` is an array with one entry an epoch, NaN where there was none. Names of
    what was measured in validation begin with ``validation_``.

    Attributes
    ----------
    stopped : str or None
        Why the training ended before its last epoch.

    Examples
    --------
    >>> import portanet as pn
    >>> history = pn.training.History()
    >>> history.append({"loss": 0.5})
    >>> history.append({"loss": 0.25, "validation_loss": 0.5})
    >>> history["loss"], history["validation_loss"]
    (array([0.5 , 0.25]), array([nan, 0.5]))
    >>> history.last
    {'loss': 0.25, 'validation_loss': 0.5}
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.stopped: str | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Add what came out of an epoch."""
        self.rows.append(dict(row))

    @property
    def epochs(self) -> int:
        """How many epochs there were."""
        return len(self.rows)

    @property
    def last(self) -> dict[str, Any]:
        """What came out of the last epoch; nothing before the first."""
        return dict(self.rows[-1]) if self.rows else {}

    def __getitem__(self, name: str) -> np.ndarray:
        if not any(name in row for row in self.rows):
            raise KeyError(f"{name!r} is none of {list(self)}")
        kept = next(row[name] for row in self.rows if name in row)
        missing = np.full(np.shape(kept), np.nan) if np.ndim(kept) else np.nan
        return np.asarray([row.get(name, missing) for row in self.rows])

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for row in self.rows for name in row))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` of the numbers, with a row an epoch, counted from 1.

        Raises
        ------
        BackendNotAvailableError
            If pandas is not installed.
        """
        try:
            import pandas  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise BackendNotAvailableError(
                "to_pandas needs the package pandas: pip install pandas"
            ) from error
        columns = {name: self[name] for name in self}
        index = pandas.RangeIndex(1, self.epochs + 1, name="epoch")
        return pandas.DataFrame(
            {name: x if x.ndim == 1 else list(x) for name, x in columns.items()}, index=index
        )

    def __eq__(self, other: object) -> bool:
        """Whether it is this one: arrays of numbers have no one answer."""
        return self is other

    def __repr__(self) -> str:
        ended = f", stopped: {self.stopped}" if self.stopped else ""
        return f"History({self.epochs} epochs of {', '.join(self) or 'nothing'}{ended})"
