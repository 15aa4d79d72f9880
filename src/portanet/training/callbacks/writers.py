"""Histories in files: tables, TensorBoard, pictures."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

from portanet.errors import ArgumentError, BackendNotAvailableError, shown
from portanet.io.atomic import replace
from portanet.plots._figure import silent_figure
from portanet.plots.curves import VALIDATION, saved_curves
from portanet.training.callbacks.base import Callback
from portanet.training.history import History
from portanet.training.run import Run

Path = str | os.PathLike[str]


def checked_path(owner: str, path: Any) -> str:
    """Return the name of a file or a folder as text."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ArgumentError(f"{owner}: path names a file: got {shown(path)}")
    return os.fsdecode(path)


def check_folder(owner: str, path: str) -> None:
    """Refuse a file whose folder is not there, before there is anything to write."""
    if not os.path.isdir(os.path.dirname(path) or os.curdir):
        raise ArgumentError(f"{owner}: path lies in a folder: there is none at {path!r}: make it")


def _numbers(history: History) -> list[str]:
    """Return the names of what is one number an epoch."""
    return [name for name in history if history[name].ndim == 1]


class CSVLogger(Callback):
    """Writes the history to a table of comma-separated values after each epoch.

    Parameters
    ----------
    path : str or path
        The file has a line an epoch, that of a run that is taken up again too. It is replaced at
        once, so that whoever reads it meanwhile sees whole lines.

    Raises
    ------
    ArgumentError
        When training begins, if its folder is not there.

    Examples
    --------
    >>> import portanet as pn
    >>> table = pn.training.callbacks.CSVLogger("history.csv")
    """

    writes = True

    def __init__(self, path: Path) -> None:
        self._path = checked_path("CSVLogger", path)

    def on_start(self, run: Run) -> None:
        check_folder("CSVLogger", self._path)

    def on_epoch(self, run: Run) -> None:
        names, file = _numbers(run.history), io.StringIO(newline="")
        table = csv.writer(file)
        table.writerow(["epoch", *names])
        for epoch, row in enumerate(run.history.rows, 1):
            table.writerow([epoch, *(row.get(name, "") for name in names)])
        replace(self._path, file.getvalue().encode())


class TensorBoard(Callback):
    """Writes the numbers of each epoch for TensorBoard, at the steps they were measured.

    What was measured in validation is under ``validation/``, all else under ``training/``.

    Parameters
    ----------
    where : str, path or writer
        A folder, for which `tensorboardX` or else `tensorboard` has to be installed; or a writer
        with ``add_scalar(name, value, step)``, such as one of torch.

    Raises
    ------
    BackendNotAvailableError
        When training begins, if neither is installed.

    Examples
    --------
    >>> import portanet as pn
    >>> board = pn.training.callbacks.TensorBoard("runs/first")
    """

    writes = True

    def __init__(self, where: Any) -> None:
        if not hasattr(where, "add_scalar"):
            where = checked_path("TensorBoard", where)
        self._where = where

    def on_start(self, run: Run) -> None:
        self._writer = _writer(self._where) if isinstance(self._where, str) else self._where

    def on_epoch(self, run: Run) -> None:
        for name in _numbers(run.history):
            if name in run.history.last:
                measured_in = "validation" if name.startswith(VALIDATION) else "training"
                tag = f"{measured_in}/{name.removeprefix(VALIDATION)}"
                self._writer.add_scalar(tag, run.history.last[name], run.ts.step)
        flush = getattr(self._writer, "flush", None)
        if flush is not None:
            flush()

    def on_end(self, run: Run) -> None:
        if isinstance(self._where, str):
            self._writer.close()


def _writer(folder: str) -> Any:
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError:
        try:
            from tensorboard.summary import Writer  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise BackendNotAvailableError(
                "TensorBoard needs the package tensorboardX or tensorboard: pip install "
                "tensorboardX"
            ) from error
        return Writer(folder)
    return SummaryWriter(folder)


class Plot(Callback):
    """Draws the history as curves into a picture after each epoch.

    As `portanet.plots.curves`: what was measured in training and in validation is in one drawing.

    Parameters
    ----------
    path : str or path
        The file, whose ending says of which kind it is, such as ``.png`` or ``.svg``.

    Raises
    ------
    ArgumentError
        When training begins, if its folder is not there, or `matplotlib` draws no such kind.
    BackendNotAvailableError
        When training begins, if `matplotlib` is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> curves = pn.training.callbacks.Plot("history.png")
    """

    writes = True

    def __init__(self, path: Path) -> None:
        self._path = checked_path("Plot", path)

    def on_start(self, run: Run) -> None:
        check_folder("Plot", self._path)
        kinds = silent_figure("Plot", 1.0, 1.0).canvas.get_supported_filetypes()
        ending = os.path.splitext(self._path)[1].removeprefix(".").lower()
        if ending and ending not in kinds:
            raise ArgumentError(f"Plot: path ends with one of {sorted(kinds)}: got {self._path!r}")

    def on_epoch(self, run: Run) -> None:
        saved_curves(run.history, self._path)
