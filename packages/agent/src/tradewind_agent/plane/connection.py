"""One connection that speaks HTTP/1.1: requests go out as bytes, answers are parsed by httptools."""

from __future__ import annotations

import asyncio
import select

from tradewind_agent.plane.response_parser import ResponseParser
from tradewind_agent.plane.transport import LEAST_PACE


class Connection(asyncio.Protocol):
    """One request at a time. It notices its own end at once."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reading: ResponseParser | None = None
        self._in_step = True
        self._lost = asyncio.Event()
        self._patience = 0.0  # seconds
        self._asked = 0.0  # loop time at which the request began to go
        self._moved = 0.0  # loop time at which bytes last went or came
        self._watch: asyncio.TimerHandle | None = None
        self.idle_since = 0.0  # loop time; the pool's

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @transport.setter
    def transport(self, wrapped: asyncio.Transport) -> None:
        """Use the connection through TLS from here on."""
        self._transport, self._in_step = wrapped, True

    @property
    def in_step(self) -> bool:
        """True while it is open, the other side wants to be asked again, and it has said nothing but answers."""
        return self._in_step and self._transport is not None and not self._transport.is_closing()

    @property
    def silent(self) -> bool:
        """False when something can be read that the loop has not seen yet: a close, most likely."""
        socket = self.transport.get_extra_info("socket")
        if socket is None or socket.fileno() < 0:
            return False
        look = select.poll()
        look.register(socket.fileno(), select.POLLIN)
        return not look.poll(0)

    async def exchange(self, request: bytes, *, bodiless: bool, timeout: float) -> ResponseParser:
        """Send `request` and read its answer, which has no body when `bodiless`.

        `timeout` is for getting all of the request out, then from one piece of the answer to the next; the whole answer has
        twice that, and the time its size takes at `wire.LEAST_PACE`. Raises
        asyncio.TimeoutError, or another OSError when the connection breaks or what comes is not HTTP; it is closed then.
        """
        loop = asyncio.get_running_loop()
        self._reading = reading = ResponseParser(loop.create_future(), bodiless=bodiless)
        self._asked = self._moved = loop.time()
        self._patience = timeout
        self._watch = loop.call_at(self._moved + timeout, self._look)
        try:
            self.transport.write(request)
            await reading.whole
        except BaseException:
            self.abort()
            raise
        finally:
            self._watch.cancel()
            self._watch = self._reading = None
        self._in_step = reading.keeps and self.transport.get_write_buffer_size() == 0
        return reading

    def abort(self) -> None:
        """Close it now, whatever is under way. Idempotent."""
        self._in_step = False
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when its socket is closed, after `abort`."""
        await self._lost.wait()

    # ---- what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reading is None:
            self.abort()  # without a request
            return
        self._moved = asyncio.get_running_loop().time()
        self._reading.feed(data)

    def resume_writing(self) -> None:
        self._moved = asyncio.get_running_loop().time()  # all but a last piece of the request is out

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()
        self._in_step = False
        if self._reading is not None:
            self._reading.ended(error)

    def _look(self) -> None:
        """Give up when nothing has moved for too long."""
        loop = asyncio.get_running_loop()
        if self._reading is None:
            return
        due = self._moved + self._patience
        if received := self._reading.received:
            # One byte now and then is movement, and no answer.
            due = min(due, self._asked + 2 * self._patience + received / LEAST_PACE)
        if loop.time() >= due:
            self._reading.fail(asyncio.TimeoutError("no answer in time"))
        else:
            self._watch = loop.call_at(due, self._look)
