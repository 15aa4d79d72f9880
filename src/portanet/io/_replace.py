"""Replacing a file at once."""

from __future__ import annotations

import errno
import os
import secrets
import stat

from portanet.io._library import check_regular


def replace(path: str, content: bytes) -> None:
    """Write a file so that others see all of the old one or all of the new one.

    What a symbolic link points at is replaced, not the link. A file keeps its mode; a new one gets
    that of every new file.
    """
    mode = _mode_of(path)
    target = os.path.realpath(path)
    # Not made of the target's name, which may be as long as a name can be.
    draft = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(draft, _NEW, 0o666 if mode is None else mode)
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
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


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
