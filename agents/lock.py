"""A folder is written to by one run at a time: two would mix their figures and delete each other's checkpoints.

The lock is the operating system's, on the file `.lock` in the folder, held open: it goes when its process goes, however
that ends, so a killed run leaves none behind. The file itself stays, and says who holds the folder while somebody does.
Left out: systems without fcntl (Windows) and file systems without locks. Nothing is locked there.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TextIO

LOCK = ".lock"


class HeldError(ValueError):
    """A folder that another run is writing to."""


class Held:
    """A folder that this process holds, until `close`."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def close(self) -> None:
        """Lets the folder go."""
        if self._file is not None and not self._file.closed:
            self._file.truncate(0)
            self._file.close()


def hold(folder: Path, option: str = "run") -> Held:
    """Takes a folder that is there.

    Args:
        folder: whose file .lock is made where there is none.
        option: what the user names such a folder with.

    Raises:
        HeldError: another process holds it, or this one does already.
    """
    try:
        import fcntl
    except ImportError:
        return Held()
    file = open(folder / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 (open is what holds the lock)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise HeldError(
            f"{option}={str(folder)!r} is being written to by {holder}: let that end, or stop it (Ctrl-C saves), "
            "or name another folder"
        ) from error
    except OSError:  # no locks on this file system
        file.close()
        return Held()
    file.truncate(0)
    print(f"process {os.getpid()} on {platform.node()}", file=file, flush=True)
    return Held(file)


def is_held(folder: Path) -> bool:
    """Whether a run is writing to a folder right now."""
    if not (folder / LOCK).exists():
        return False
    try:
        hold(folder).close()
    except HeldError:
        return True
    return False
