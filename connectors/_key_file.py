"""The file of callers' keys, read again when it changes, so that a key is taken away without a restart.

Strategy. One task looks once a second (:meth:`KeyFile.follow`); reading is done beside the loop, for all
streams wait while the loop does. A file that cannot be read as one leaves the keys as they were, with an
error in the log: half a file, seen while somebody writes it, must neither lock everybody out nor let anybody
in. A file without any key is a right one, and lets nobody in.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NoReturn

from connectors._keys import Key, parse

__all__ = ["KeyFile"]

_log = logging.getLogger(__name__)

_EVERY = 1.0  # seconds
_MOST = 4 << 20  # bytes

_Stamp = tuple[int, int, int]


class KeyFile:
    """The keys of a file.

    :arg upstreams: The names that a key may be limited to.

    :raises ValueError: If the file cannot be read, or is wrong; the message names it.

    """

    def __init__(self, path: str, upstreams: Collection[str]) -> None:
        self._path, self._upstreams = Path(path), tuple(upstreams)
        self._stamp: _Stamp = (0, 0, 0)
        self._keys = self._read()
        self._wrong = ""

    def find(self, name: str) -> Key | None:
        """What is known about the key with this id."""
        return self._keys.get(name)

    async def follow(self) -> NoReturn:
        """Keep up with the file, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Read the file again if it is another than it was."""
        try:
            if self._stamped() == self._stamp:
                return
            self._keys = self._read()
        except ValueError as error:
            if str(error) != self._wrong:  # a file that is gone is gone every second
                _log.error("%s; the keys stay as they were", error)
            self._wrong = str(error)
        else:
            self._wrong = ""
            _log.info("keys %s: read again, %d keys", self._path, len(self._keys))

    def _read(self) -> dict[str, Key]:
        self._stamp = self._stamped()  # before it is read: what changes meanwhile is read again
        if self._stamp[1] > _MOST:
            msg = f"keys {self._path}: more than {_MOST} bytes"
            raise ValueError(msg)
        try:
            keys = parse(self._path.read_text(encoding="utf-8"))
            self._check(keys)
        except OSError as error:
            msg = f"keys {self._path}: {error.strerror}"
            raise ValueError(msg) from None
        except UnicodeDecodeError:
            msg = f"keys {self._path}: no UTF-8"
            raise ValueError(msg) from None
        except ValueError as error:
            msg = f"keys {self._path}: {error}"
            raise ValueError(msg) from None
        return keys

    def _check(self, keys: Mapping[str, Key]) -> None:
        for name, key in keys.items():
            for each in key.upstreams or ():
                if each not in self._upstreams:
                    msg = f"key {name}: no such upstream: {each!r}; there are {', '.join(self._upstreams)}"
                    raise ValueError(msg)

    def _stamped(self) -> _Stamp:
        try:
            stat = os.stat(self._path)  # of what a link leads to: Kubernetes exchanges links
        except OSError as error:
            msg = f"keys {self._path}: {error.strerror}"
            raise ValueError(msg) from None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
