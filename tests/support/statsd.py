"""A StatsD daemon: takes datagrams and keeps the names of what was counted."""

from __future__ import annotations

import socket
import threading


class StatsDSink:
    """Listens on a free UDP port of the loopback interface inside `with`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._take, daemon=True)

    def __enter__(self) -> StatsDSink:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    @property
    def names(self) -> set[str]:
        """Each name once, without the host's."""
        host = socket.gethostname()
        return {line.split(":")[0].replace(host, "HOST") for line in list(self.lines)}

    def options(self) -> dict[str, str]:
        """`[metrics]` of what sends here."""
        return {"statsd_on": "True", "statsd_host": "127.0.0.1", "statsd_port": str(self.port)}

    def _take(self) -> None:
        while datagram := self._socket.recv(65535):
            self.lines += datagram.decode().splitlines()
