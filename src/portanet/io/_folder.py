"""The files of checkpoints in a folder, one a step."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from portanet.errors import CheckpointError, StorageError
from portanet.io import _record
from portanet.io._formats import Format
from portanet.io._record import Record
from portanet.io.atomic import replace, sync_folder

_NAME = re.compile(r"step-(\d{8,19})\.\w+")


@dataclass(frozen=True)
class Folder:
    """A folder whose files of one format are checkpoints; others are not looked at."""

    path: str
    form: Format

    def file(self, step: int) -> str:
        """Return the path of the file of a step."""
        return os.path.join(self.path, f"step-{step:08d}.{self.form.name}")

    def steps(self) -> list[int]:
        """Return the steps of which there is a file, in their order."""
        try:
            names = set(os.listdir(self.path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed(
                f"the folder {self.path!r} was not looked into: {error}", error
            ) from error
        matches = (_NAME.fullmatch(name) for name in names)
        steps = {int(match[1]) for match in matches if match is not None}
        return sorted(step for step in steps if os.path.basename(self.file(step)) in names)

    def write(self, step: int, content: bytes) -> None:
        """Write the file of a step: all of it, or nothing."""
        try:
            if not os.path.isdir(self.path):
                os.makedirs(self.path, exist_ok=True)
                sync_folder(os.path.dirname(os.path.abspath(self.path)))
            replace(self.file(step), content)
        except OSError as error:
            steps = self.steps()
            before = f"the last one is that of step {steps[-1]}" if steps else "there is none"
            raise self._failed(step, f"was not written: {error}: {before}", error) from error

    def read(self, step: int) -> Record:
        """Read the file of a step, and no other one if it is damaged."""
        try:
            return _record.read(self.form, self.file(step))
        except OSError as error:
            raise self._failed(step, f"was not read: {error}", error) from error
        except CheckpointError as error:
            before = [other for other in self.steps() if other < step]
            if not before:
                raise CheckpointError(f"{error}: there is none before it") from error
            raise CheckpointError(
                f"{error}: the one before is that of step {before[-1]}: take it with "
                f"restore(…, step={before[-1]}), or remove this file, which makes it the latest"
            ) from error

    def metrics(self, step: int) -> dict[str, float]:
        """Return what was measured at a step, without reading the arrays."""
        try:
            return _record.read_metrics(self.form, self.file(step))
        except OSError as error:
            raise self._failed(step, f"was not read: {error}", error) from error

    def remove(self, step: int) -> None:
        """Remove the file of a step, if nobody else was faster."""
        try:
            os.unlink(self.file(step))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed(step, f"was not removed: {error}", error) from error

    def _failed(self, step: int, what: str, cause: OSError) -> StorageError:
        return _failed(f"the checkpoint of step {step}, {self.file(step)!r}, {what}", cause)


def _failed(what: str, cause: OSError) -> StorageError:
    error = StorageError(what)
    error.errno = cause.errno
    return error
