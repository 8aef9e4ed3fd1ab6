"""Harm to a worker's local stores while it is down: damaged files, somebody else's folder, a disk that is full.

Guarantees: only files below the folder given are touched; what was mounted is unmounted. A store is a copy: its
changelog has everything, so none of this may ever be noticed by more than a slower start.
"""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

DISK_KIB = {"open": 64, "later": 2_048}  # too small to open a store at all; full only when one is written out


def damage(stores: Path, how: str, dice: random.Random) -> bool:
    """Harm one partition's store, keeping the mark of its clean end. False: none was closed cleanly."""
    marks = stores.glob("*.closed")
    folders = sorted(path for mark in marks if (path := mark.with_suffix("")).is_dir())
    if not folders:
        return False
    folder = dice.choice(folders)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "no_current":
        (folder / "CURRENT").unlink(missing_ok=True)
    elif how == "foreign" and len(folders) > 1:
        other = dice.choice([path for path in folders if path != folder])
        shutil.rmtree(folder)
        shutil.copytree(other, folder)
    elif how in ("flip", "truncate", "foreign"):
        for file in files:
            data = bytearray(file.read_bytes())
            if how == "truncate":
                data = data[: len(data) // 2]
            else:
                for _ in range(1 + len(data) // 500):
                    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            file.write_bytes(bytes(data))
    return True


@contextlib.contextmanager
def full_disk(stores: Path, how: str) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """A small file system under the stores, or (not mountable) a limit of file size: its name, what a child runs."""
    shutil.rmtree(stores, ignore_errors=True)
    stores.mkdir(parents=True)
    size = f"size={DISK_KIB[how]}k"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(stores)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield "tmpfs", None
        finally:
            subprocess.run(["umount", str(stores)], check=True, capture_output=True)
    else:
        limit = DISK_KIB[how] << 10
        yield "file size limit", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
