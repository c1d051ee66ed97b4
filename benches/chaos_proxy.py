"""A network between a client and a broker that can be paused and cut.

Strategy. A port that passes bytes on, two threads a connection. A pause is what a switch that hangs looks
like: connections stay open and nothing arrives, so only time limits tell. A cut is what a lost route looks
like: connections end, and new ones are refused until it is mended.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

__all__ = ["Proxy"]


class Proxy:
    """Passes connections on to ``127.0.0.1:target``, once it is set."""

    def __init__(self) -> None:
        self.target = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._whole = True
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self) -> None:
        """Let nothing through; connections stay."""
        self._flowing.clear()

    def cut(self) -> None:
        """End all connections, and every new one."""
        with self._lock:
            self._whole = False
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let everything through again."""
        with self._lock:
            self._whole = True
        self._flowing.set()

    def close(self) -> None:
        """End it for good."""
        self.cut()
        self._flowing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._whole:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:  # nobody there
                    client.close()
                    continue
                self._open |= {client, server}
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._flowing.wait()
                other.sendall(data)
        with self._lock:
            self._open -= {one, other}
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
