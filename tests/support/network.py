"""A network that can be made worse: a TCP proxy on this machine, and network namespaces where the kernel lets us."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import threading
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x4000_0000


@dataclass
class Weather:
    """How the proxy treats connections, now. Changed while it runs; a change is seen with the next bytes."""

    refuse: bool = False  # new connections are reset
    stall: bool = False  # nothing passes and nothing ends: packets are swallowed
    delay: float = 0.0  # seconds each piece is late, in each direction
    idle: float | None = None  # a connection without a byte for this long is cut
    cut_share: float = 0.0  # of pieces that cut their connection instead of passing
    lose_answers_to: bytes | None = (
        None  # a connection whose request has these bytes (a pattern) is cut before its answer
    )
    lose_answers: int = 0  # how many more answers are lost
    swallow: bytes | None = (
        None  # a request with these bytes (a pattern) never arrives, and its connection hangs
    )
    dice: random.Random = field(default_factory=lambda: random.Random(7))


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Passes TCP connections on to the targets in turn, to the next one where one refuses, through the weather. Runs in
    a thread of its own while entered."""

    def __init__(self, *targets: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.weather = Weather()
        self.accepted = 0
        self.lost_answers = 0
        self._targets = targets
        self._socket = socket.create_server((host, 0), backlog=512)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(timeout=10)

    # ---- weather

    def cut(self) -> None:
        """Reset every connection there is, and refuse new ones until `heal`."""
        self.weather.refuse = True
        self.drop()

    def drop(self) -> None:
        """Reset every connection there is; new ones are welcome."""
        self._call(self._reset_all)

    def stall(self) -> None:
        """Swallow everything until `heal`."""
        self.weather.stall = True

    def heal(self) -> None:
        """Fair weather. What was held back passes."""
        self.weather = Weather()

    def lose_answers(self, to: bytes, *, times: int) -> None:
        """The plane acts on the next `times` requests that contain `to`, and nobody hears its answer."""
        self.weather.lose_answers_to, self.weather.lose_answers = to, times

    # ---- inside

    def _call(self, function: Callable[[], None]) -> None:
        done = threading.Event()

        def call() -> None:
            function()
            done.set()

        self._loop.call_soon_threadsafe(call)
        done.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._welcome, sock=self._socket))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    def _stop(self) -> None:
        self._reset_all()
        self._loop.stop()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._links.add(task)
        task.add_done_callback(self._links.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.weather.refuse:
            _reset(writer)
            return
        self._writers.add(writer)
        try:
            await self._while_stalled()
            there = await self._open()
        except OSError:
            _reset(writer)
            self._writers.discard(writer)
            return
        self._writers.add(there[1])
        link = _Link(self, (reader, writer), there)
        try:
            await link.run()
        finally:
            for each in (writer, there[1]):
                self._writers.discard(each)
                _reset(each)

    async def _open(self) -> Ends:
        """A connection to a target that takes one. Raises OSError when none does."""
        count = len(self._targets)
        for number in range(count):
            with suppress(OSError):
                return await asyncio.open_connection(*self._targets[(self.accepted + number) % count])
        raise ConnectionRefusedError("no target takes connections")

    async def _while_stalled(self) -> None:
        # noticed with a little delay, as a change of weather is: an Event would have to be set from another thread
        while self.weather.stall:
            await asyncio.sleep(0.05)


class _Link:
    """One connection through the weather."""

    def __init__(self, proxy: Proxy, here: Ends, there: Ends) -> None:
        self._proxy = proxy
        self._here, self._there = here, there
        self._mute = False  # its request's answer is lost

    async def run(self) -> None:
        ways: list[Coroutine[Any, Any, None]] = [
            self._pass(self._here[0], self._there[1], up=True),
            self._pass(self._there[0], self._here[1], up=False),
        ]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        """Return when the connection is to be cut, or has ended."""
        while True:
            weather = self._proxy.weather
            try:
                piece = await asyncio.wait_for(source.read(65536), weather.idle)
            except (asyncio.TimeoutError, OSError):
                return
            if not piece:
                return
            await self._proxy._while_stalled()
            weather = self._proxy.weather
            if up and weather.lose_answers and _has(weather.lose_answers_to, piece):
                weather.lose_answers -= 1
                self._mute = True
            if up and _has(weather.swallow, piece):
                await asyncio.sleep(3600)
            if not up and self._mute:
                self._proxy.lost_answers += 1
                return
            if weather.cut_share and weather.dice.random() < weather.cut_share:
                return
            if weather.delay:
                await asyncio.sleep(weather.delay)
            try:
                sink.write(piece)
                await sink.drain()
            except OSError:
                return


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken network does: no goodbye."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Namespace:
    """A network namespace of its own, joined to this machine by one cable that can be pulled."""

    def __init__(self) -> None:
        self.name = f"tw{uuid.uuid4().hex[:8]}"
        number = int(self.name[2:6], 16)
        self._net = f"10.{201 + number % 50}.{number >> 8}"
        self.outside, self.inside = f"{self._net}.1", f"{self._net}.2"
        self._cable = f"{self.name}o"

    def __enter__(self) -> Namespace:
        inner = f"{self.name}i"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", self.name)
        _ip("addr", "add", f"{self.outside}/24", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        _ip("-n", self.name, "addr", "add", f"{self.inside}/24", "dev", inner)
        _ip("-n", self.name, "link", "set", inner, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *problem: object) -> None:
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def command(self) -> list[str]:
        """What to put before a command to run it in here; the process keeps its id."""
        return ["ip", "netns", "exec", self.name]

    def add_address(self, address: str) -> None:
        """One more on this machine's end of the cable."""
        _ip("addr", "add", f"{address}/32", "dev", self._cable)

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens in here, on an address that only this namespace has."""
        _ip("-n", self.name, "addr", "add", f"{address}/32", "dev", "lo")
        made: list[socket.socket] = []

        def open_there() -> None:  # in a thread: the others stay where they are
            with open(f"/run/netns/{self.name}") as place:
                if _LIBC.setns(place.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server((address, port), backlog=64))

        thread = threading.Thread(target=open_there)
        thread.start()
        thread.join()
        return made[0]

    def forget(self, address: str) -> None:
        """What `listen` has made is no longer an address of this namespace."""
        _ip("-n", self.name, "addr", "del", f"{address}/32", "dev", "lo")

    def unplug(self) -> None:
        """Packets are swallowed in both directions; no side is told."""
        _ip("link", "set", self._cable, "down")

    def plug(self) -> None:
        _ip("link", "set", self._cable, "up")


def _has(pattern: bytes | None, piece: bytes) -> bool:
    return pattern is not None and re.search(pattern, piece) is not None


def namespaces_available() -> bool:
    """True where this process may make network namespaces and cables."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        with Namespace():
            return True
    except subprocess.CalledProcessError:
        return False


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
