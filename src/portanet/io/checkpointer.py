"""The last and the best of what training has come to, in files of a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import optree

from portanet import checks, trees
from portanet.devices import Device
from portanet.errors import ArgumentError, CheckpointError, HyperparameterError, StorageError, shown
from portanet.interface import is_array
from portanet.io import _leaves, _record
from portanet.io._files import Path, place_of
from portanet.io._folder import Folder
from portanet.io._formats import FORMATS
from portanet.io._keeping import Keeping
from portanet.io._library import checked_path
from portanet.io.matching import Only, matched


class Checkpointer:
    """Checkpoints in a folder, one file a step, of which the last ones and the best are kept.

    A checkpoint is a tree: a training state, or a dict of several things. Its leaves are arrays of
    any library, random keys of portanet and of JAX, generators of NumPy, numbers, texts and None.
    Nothing is pickled. Of a `TrainState` all is stored that training changes.

    Parameters
    ----------
    folder : str or path
        Made by the first `save`. Two checkpointers may share it, such as one that saves and one of
        another process that restores.
    keep : int or None, default 3
        How many of the last checkpoints stay, besides the best one; older files are removed after a
        new one is on the disk. None keeps all.
    best : str, optional
        The name of a metric: the checkpoint in which it is best is kept too.
    mode : {"min", "max"}, optional
        Which value of it is better. Needed with `best`.
    format : {"safetensors", "npz"}, default "safetensors"
        What the files are. The first needs ``pip install "portanet[safetensors]"``, the second
        nothing, and it can hold complex128. Files of the other format are not looked at.

    Attributes
    ----------
    folder : str
    keep : int or None
    metric : str or None
        The argument `best`.
    mode, format : str

    Raises
    ------
    HyperparameterError, ArgumentError
        If an argument is out of range or of the wrong kind, or `folder` is a file.

    Notes
    -----
    A file is written aside, in the same folder, brought to the disk and renamed. So a process that
    is killed at any instant, or a full disk, leaves the checkpoints that were there; what it has
    begun is removed by the next `save`, but never what another process is writing. (On systems
    without ``fcntl`` it stays.) Each file has a version, the structure of its tree, and a BLAKE2b
    checksum over all of that and over every array, which `restore` compares.

    Examples
    --------
    >>> import tempfile
    >>> import portanet as pn
    >>> model = pn.Dense(2, 1)
    >>> ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam())
    >>> folder = tempfile.TemporaryDirectory()
    >>> ckpt = pn.io.Checkpointer(folder.name, keep=1, best="validation_loss", mode="min")
    >>> for step, loss in ((10, 0.3), (20, 0.2), (30, 0.4), (40, 0.5)):
    ...     _ = ckpt.save(ts, step=step, metrics={"validation_loss": loss})
    >>> ckpt.steps, ckpt.latest, ckpt.best
    ([20, 40], 40, 20)
    >>> best = ckpt.restore(like=ts, step=ckpt.best)
    >>> ckpt.metrics(ckpt.best)
    {'validation_loss': 0.2}
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int | None = 3,
        best: str | None = None,
        mode: str | None = None,
        format: str = "safetensors",
    ) -> None:
        self.folder = checked_path(folder)
        if os.path.exists(self.folder) and not os.path.isdir(self.folder):
            raise ArgumentError(f"Checkpointer: folder is one: {self.folder!r} is a file")
        if not isinstance(format, str) or format not in FORMATS:
            raise HyperparameterError(
                f"Checkpointer: format is one of {list(FORMATS)}: got {shown(format)}"
            )
        self._keeping = Keeping(keep, best, mode)
        self._folder = Folder(self.folder, FORMATS[format])
        self.keep, self.metric, self.mode, self.format = keep, best, mode, format

    @property
    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in their order."""
        return self._folder.steps()

    @property
    def latest(self) -> int | None:
        """The last step of which there is a checkpoint, None without any."""
        return max(self.steps, default=None)

    @property
    def best(self) -> int | None:
        """The first step at which the metric was best, None if none was saved with a number."""
        return self._keeping.best_of({step: self._folder.metrics(step) for step in self.steps})

    def path(self, step: int) -> str:
        """Return the path of the file of a step."""
        return self._folder.file(checks.integer("step", step, 0))

    def metrics(self, step: int) -> dict[str, float]:
        """Return what a checkpoint was saved with as `metrics`, without reading its arrays."""
        return self._folder.metrics(self._step(step))

    def __repr__(self) -> str:
        best = "" if self.metric is None else f", best={self.metric!r}, mode={self.mode!r}"
        return f"Checkpointer({self.folder!r}, keep={self.keep}{best}, format={self.format!r})"

    def save(
        self,
        tree: Any,
        *,
        step: int | None = None,
        metrics: Mapping[str, Any] | None = None,
        loader: Any = None,
    ) -> str:
        """Write a checkpoint, and remove those that are not to be kept.

        Parameters
        ----------
        tree : tree
            Such as a `TrainState`, or ``{"ts": ts, "rng": rng}``.
        step : int, optional
            Its number, which no checkpoint in the folder exceeds; one of the same number is
            replaced. By default that of a `TrainState`.
        metrics : dict of numbers, optional
            What was measured, by name. If there are any, the metric that `best` names is among
            them; a checkpoint without is never the best.
        loader : DataLoader, optional
            Something with `state` and `restore`, whose position is kept.

        Returns
        -------
        str
            The path of the file.

        Raises
        ------
        ArgumentError, DTypeError, ParameterTreeError
            If an argument is of the wrong kind, a leaf has no place in a file, or there is a later
            checkpoint.
        StorageError
            If the system did not write the file: all others are as they were.
        """
        step = self._step_of(tree, step)
        measured = self._keeping.checked(metrics)
        _check_loader(loader)
        position = None if loader is None else loader.state()
        record = _record.Record(tree, measured, position)
        self._folder.write(step, _record.content_of(FORMATS[self.format], record))
        self._remove_old()
        return self.path(step)

    def restore(
        self,
        like: Any = None,
        *,
        step: int | None = None,
        only: Only | None = None,
        loader: Any = None,
        device: Any = None,
    ) -> Any:
        """Read a checkpoint.

        Parameters
        ----------
        like : tree, optional
            What is expected: the result has its structure, and each array the shape, library,
            device and dtype of the one in its place, whatever library was saved. Without it the
            result is made of dicts, lists and tuples, with arrays of NumPy.
        step : int, optional
            Which one; the last by default.
        only : str, list of str or callable, optional
            Which entries of `like` are read; the others stay as they are in it, and those of the
            file are not looked at. Dotted paths of entries or of parts, such as
            ``"parameters.encoder"``; or a function ``only(path, x)`` that returns True or False.
        loader : DataLoader, optional
            Goes to where the one was with which the checkpoint was saved.
        device : Device or str, optional
            Where the arrays go; otherwise where those of `like` are.

        Returns
        -------
        tree

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, or it is damaged or of another version. No other one is
            taken in its place.
        ParameterTreeError, ShapeError, DTypeError, HyperparameterError
            If it is of another model or optimizer: every entry, container, shape and dtype that
            differs, by name.
        ArgumentError
            If an argument is of the wrong kind, or `loader` is of other data than the one that was
            saved, or none was.
        StorageError
            If the system cannot read the file.

        Examples
        --------
        A new head on an encoder that was trained:

        >>> import tempfile
        >>> import portanet as pn
        >>> encoder, old = pn.Dense(4, 3, pn.relu), pn.Dense(3, 2)
        >>> trained, _ = pn.setup(0, pn.Chain(encoder=encoder, head=old))
        >>> fresh, _ = pn.setup(1, pn.Chain(encoder=encoder, head=pn.Dense(3, 10)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ckpt = pn.io.Checkpointer(folder, format="npz")
        ...     _ = ckpt.save(trained, step=0)
        ...     ps = ckpt.restore(like=fresh, only="encoder")
        >>> bool((ps["encoder"]["weight"] == trained["encoder"]["weight"]).all())
        True
        >>> ps["head"]["weight"].shape
        (10, 3)
        """
        place = place_of(device)
        _check_loader(loader)
        if like is None and only is not None:
            raise ArgumentError("only chooses entries of like: give both")
        step = self._step(step)
        record = self._folder.read(step)
        if loader is not None and record.loader is None:
            raise ArgumentError(f"the checkpoint of step {step} was saved without a loader")
        if like is None:
            tree = _moved(record.tree, place)
        else:
            tree = matched(self.path(step), record.tree, like, place, only=only)
        if loader is not None:
            loader.restore(record.loader)
        return tree

    def _step_of(self, tree: Any, step: Any) -> int:
        """Return the number of a new checkpoint, which comes after all others."""
        if step is None:
            step = getattr(tree, "step", None)
            if step is None:
                raise ArgumentError("save: step is the number of the checkpoint: it has no default")
        step = checks.integer("save: step", step, 0)
        if self.latest is not None and step < self.latest:
            raise ArgumentError(
                f"save: step >= {self.latest}, the last one in {self.folder!r}: got {step}: remove "
                f"the files of what comes after it, or take another folder"
            )
        return step

    def _step(self, step: Any) -> int:
        """Return a step of which there is a checkpoint, the last one by default."""
        steps = self.steps
        if step is None and steps:
            return steps[-1]
        if step is None or checks.integer("step", step, 0) not in steps:
            wanted = "" if step is None else f" of step {step}"
            raise CheckpointError(
                f"{self.folder!r} has no checkpoint{wanted}: there are those of {steps}"
            )
        return int(step)

    def _remove_old(self) -> None:
        """Remove what is neither among the last nor the best."""
        steps = self.steps
        if self.keep is None or len(steps) <= self.keep:
            return
        old, measured = steps[: -self.keep], {}
        if self.metric is not None:
            for step in steps:
                with contextlib.suppress(CheckpointError, StorageError):
                    measured[step] = self._folder.metrics(step)
            old = [step for step in old if step in measured]  # it might be the best one
        best = self._keeping.best_of(measured)
        for step in old:
            if step != best:
                self._folder.remove(step)


def _check_loader(loader: Any) -> None:
    if loader is not None and not (hasattr(loader, "state") and hasattr(loader, "restore")):
        raise ArgumentError(f"loader has state() and restore(state): got {shown(loader)}")


def _moved(tree: Any, place: Device | None) -> Any:
    def move(x: Any) -> Any:
        return _leaves.placed("array", x, place) if is_array(x) else x

    return optree.tree_map(move, tree, none_is_leaf=True, namespace=trees.NAMESPACE)
