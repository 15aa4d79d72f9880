"""Replacing a file at once, and the drafts of those who were killed meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat

from portanet.io._library import check_regular

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed either
    fcntl = None

_DRAFT = re.compile(r"\.portanet-[0-9a-f]{16}\.tmp")


def replace(path: str, content: bytes) -> None:
    """Write a file so that others see all of the old one or all of the new one.

    It is on the disk, and its name too, when this returns. What a symbolic link points at is
    replaced, not the link. A file keeps its mode; a new one gets that of every new file. Drafts
    that killed processes have left in its folder are removed.
    """
    mode = _mode_of(path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    _remove_abandoned(folder)
    try:
        handle, draft = _new_draft(folder, 0o666 if mode is None else mode)
    except OSError as error:
        error.filename = path
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.chmod(draft, mode)  # the umask took its part
            file.write(content)
            file.flush()
            os.fsync(handle)
            if fcntl is not None:  # before it is closed, which ends its lock
                os.replace(draft, target)
        if fcntl is None:
            os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    sync_folder(folder)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _new_draft(folder: str, mode: int) -> tuple[int, str]:
    """Return a new file, locked as long as it is open, and its path."""
    while True:
        # Not made of the target's name, which may be as long as a name can be.
        draft = os.path.join(folder, f".portanet-{secrets.token_hex(8)}.tmp")
        handle = os.open(draft, _NEW, mode)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink == 0:  # it was removed before it was locked
                os.close(handle)
                continue
        return handle, draft


def _remove_abandoned(folder: str) -> None:
    """Remove the drafts that nobody writes any more: the system unlocks those of the killed."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        drafts = [entry.path for entry in entries if _DRAFT.fullmatch(entry.name)]
        for draft in drafts:
            with contextlib.suppress(OSError):
                handle = os.open(draft, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(draft)
                finally:
                    os.close(handle)


def sync_folder(folder: str) -> None:
    """Put the names in a folder on the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # one may write there, and not look
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
            raise
    finally:
        os.close(handle)


def _mode_of(path: str) -> int | None:
    """Return the mode of a file that may be written, None if there is none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    check_regular(path, mode)
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return stat.S_IMODE(mode)
