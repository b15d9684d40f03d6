"""The folder where the bytes of files are: written whole or not at all, and found by their id.

`<root>/<organization>/<last two letters of the id>/<id>`, all in hexadecimal: nothing that a client
sends is part of a path. What is being received is in `<root>/<organization>/incoming/`, on the same
file system, so that a rename makes it whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from flask import current_app

from models.db.base import uuid7
from webapp.services.common.exceptions import Unavailable
from webapp.services.files.contents import InsufficientStorage
from webapp.services.files.formats import HEAD_BYTES

INCOMING = "incoming"
# Bytes without a row are removed when they are this old: a request that is still at work with its
# own has long ended by then.
ORPHAN_SECONDS = 24 * 3600
PARTITIONS = [f"{number:02x}" for number in range(256)]
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileStore:
    """The store below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def receive(self, organization_id: UUID) -> Incoming:
        """A new file to write. Raises InsufficientStorage, Unavailable."""
        folder = self._root / organization_id.hex / INCOMING
        try:
            _make_folder(folder)
            return Incoming(self, organization_id, uuid7(), folder)
        except OSError as error:
            raise refusal(error) from error

    def open(self, organization_id: UUID, content_id: UUID) -> BinaryIO:
        """The bytes to read. Raises Unavailable when they cannot be."""
        try:
            return self.path(organization_id, content_id).open("rb")
        except OSError as error:
            raise Unavailable("The bytes of this file cannot be read right now.") from error

    def has(self, organization_id: UUID, content_id: UUID) -> bool:
        return self.path(organization_id, content_id).is_file()

    def path(self, organization_id: UUID, content_id: UUID) -> Path:
        return self._root / organization_id.hex / content_id.hex[-2:] / content_id.hex

    def old(self, organization_id: UUID, partition: str) -> list[UUID]:
        """The ids in one partition of what is older than `ORPHAN_SECONDS`."""
        before, found = time.time() - ORPHAN_SECONDS, []
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._root / organization_id.hex / partition):
                with suppress(ValueError, FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        found.append(UUID(entry.name))
        return found

    def remove(self, organization_id: UUID, content_id: UUID) -> None:
        """Remove bytes that no row names. Not there is no error."""
        self.path(organization_id, content_id).unlink(missing_ok=True)

    def remove_abandoned(self, organization_id: UUID) -> int:
        """Remove what was begun to be received long ago and never ended; returns how many."""
        before, count = time.time() - ORPHAN_SECONDS, 0
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._root / organization_id.hex / INCOMING):
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        os.unlink(entry.path)
                        count += 1
        return count


class Incoming:
    """A file that is being received: hashed and counted on the way.

    `keep` makes it durable under its id; `discard` leaves nothing.
    """

    def __init__(self, store: FileStore, organization_id: UUID, id: UUID, folder: Path) -> None:
        self.id = id
        self.size = 0
        self.head = b""
        self._hash = hashlib.sha256()
        self._final = store.path(organization_id, id)
        self._part = folder / f"{id.hex}.part"
        self._file = self._part.open("xb")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Take more of it. Raises InsufficientStorage when the disk is full, Unavailable."""
        try:
            self._file.write(data)
        except OSError as error:
            raise refusal(error) from error
        self._hash.update(data)
        self.size += len(data)
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
        return len(data)

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """The parser of forms goes back to the beginning when it is done; it stays as it is."""
        return 0

    def keep(self) -> None:
        """Make the bytes durable under their id. Raises as `write`."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            _make_folder(self._final.parent)
            self._part.rename(self._final)
            _sync_folder(self._final.parent)
        except OSError as error:
            raise refusal(error) from error

    def discard(self) -> None:
        """Leave nothing of it, kept or not."""
        # Closing writes what is buffered, for which there may be no room.
        with suppress(OSError):
            self._file.close()
        for path in (self._part, self._final):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def refusal(error: OSError) -> InsufficientStorage | Unavailable:
    """What it means that the file system did not do it."""
    if error.errno in _FULL:
        return InsufficientStorage()
    return Unavailable("The file store cannot be reached; try again.")


def file_store() -> FileStore:
    """The store of the running application."""
    return FileStore(current_app.config["SETTINGS"].files_dir)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable in the one above."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
