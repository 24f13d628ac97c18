"""An answer while it comes in."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

import httptools

from tradewind_agent.http.responses import Headers
from tradewind_agent.plane.transport import LARGEST_ANSWER, ResponseTooLarge

_MOST_HEADERS: Final = 100_000  # bytes; no plane has so many
_GZIP: Final = zlib.MAX_WBITS | 16


class ResponseParser:
    """What httptools finds in the bytes it is fed. `whole` is done when the answer is there, or never will be."""

    def __init__(self, whole: asyncio.Future[None], *, bodiless: bool) -> None:
        self.whole = whole
        self.status = 0
        self.reason = ""
        self.keeps = False  # the connection may be used again
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._size = 0  # bytes of headers
        self._body: list[bytes] = []
        self.received = 0  # bytes of body
        self._over = False  # what comes now belongs to no answer

    @property
    def headers(self) -> Headers:
        return Headers(self._headers)

    def content(self, headers: Headers) -> bytes:
        """The body, decompressed. Raises zlib.error, and TooMuch before more than that is there."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        codings = headers.get("content-encoding")
        if codings is None or not body:
            return body
        for coding in reversed(codings.lower().split(",")):
            body = _decoded(body, coding.strip())
        return body

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self.keeps = False
            cause = error.__context__
            self.fail(
                cause
                if isinstance(cause, ResponseTooLarge)
                else ConnectionError(f"what answered does not speak HTTP/1.1: {error}")
            )
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keeps = False
            self.fail(ConnectionError(f"what answered does not speak HTTP/1.1: {error}"))

    def ended(self, error: Exception | None) -> None:
        """The connection is gone: that is the end of an answer without a length, and too early for any other."""
        named = {name.lower() for name, _ in self._headers}
        if error is None and self.status and not named & {"content-length", "transfer-encoding"}:
            self._finish()
        elif isinstance(error, OSError):
            self.fail(error)
        else:
            self.fail(ConnectionError(str(error or "the other side closed it before the answer was there")))

    def fail(self, error: Exception) -> None:
        if not self.whole.done():
            self.whole.set_exception(error)

    def _finish(self) -> None:
        self._over = True
        if not self.whole.done():
            self.whole.set_result(None)

    # ---- what httptools calls

    def on_message_begin(self) -> None:
        if self._over:
            raise _UnexpectedData

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > _MOST_HEADERS:
            raise ValueError("too many headers")
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.status, self.keeps = status, self._parser.should_keep_alive()
        if self._bodiless:
            self._finish()

    def on_body(self, body: bytes) -> None:
        if self._over:
            raise _UnexpectedData
        self.received += len(body)
        if self.received > LARGEST_ANSWER:
            raise ResponseTooLarge
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            if not self._over:
                self._finish()
            return
        self._headers.clear()  # 1xx: the answer proper is still to come
        self.reason = ""


class _UnexpectedData(Exception):
    """More than an answer came. The answer counts, its connection is not used again."""


def _decoded(body: bytes, coding: str) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP)
    if coding == "deflate":
        try:
            return _inflated(body, zlib.MAX_WBITS)
        except zlib.error:
            return _inflated(body, -zlib.MAX_WBITS)  # without zlib's header, as some servers understood it
    return body


def _inflated(body: bytes, bits: int) -> bytes:
    decoder = zlib.decompressobj(bits)
    content = decoder.decompress(body, LARGEST_ANSWER)
    if decoder.unconsumed_tail:
        raise ResponseTooLarge
    content += decoder.flush()
    if not decoder.eof:
        raise zlib.error("it ends too early")
    return content
