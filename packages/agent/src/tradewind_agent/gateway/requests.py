"""One request on the socket, and the answer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from tradewind_protocol.boundary import Rejection
from tradewind_protocol.errors import Code

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON: Final = (
    "application/json"  # exactly this: the Task SDK reads an error's body under no other content type
)


@dataclass(frozen=True)
class GatewayRequest:
    """A request, its body read."""

    method: str
    path: str  # decoded, for judging
    target: str  # as it was sent, with its query, for forwarding
    headers: dict[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)
    gone: Callable[[], Awaitable[None]] = field(repr=False)  # returns when the client has hung up


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON),)


def refusal(refuse: Rejection) -> Reply:
    return Reply(refuse.status, refuse.body)


class ClientDisconnected(Exception):
    """The client has closed its connection before the response."""


class TooLarge(Exception):
    """The body is larger than the plane takes."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self.refuse = Rejection(
            Code.TOO_LARGE,
            f"the request is larger than the {largest} bytes this Deployment takes",
            "keep the value in the site's storage and send a reference, or raise [tradewind] largest_body_bytes",
        )


async def read(scope: Scope, receive: Receive, *, largest: int) -> GatewayRequest:
    """The whole request. Raises TooLarge as soon as that is known, and ClientDisconnected."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if int(headers.get("content-length") or 0) > largest:
        raise TooLarge(largest)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise TooLarge(largest)
        parts.append(part)
        more = message.get("more_body", False)
    target = scope["raw_path"].decode("latin-1")
    if query := scope["query_string"]:
        target += "?" + query.decode("latin-1")
    return GatewayRequest(
        method=scope["method"],
        path=scope["path"],
        target=target,
        headers=headers,
        body=b"".join(parts),
        gone=_gone(receive),
    )


def _gone(receive: Receive) -> Callable[[], Awaitable[None]]:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return gone


async def answer(send: Send, reply: Reply, *, head: bool = False) -> None:
    """Send `reply`. The answer to HEAD has no body, and one of status 204 has not even a length."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.status not in (204, 304):
        headers.append((b"content-length", str(0 if head else len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if head or reply.status in (204, 304) else reply.body
    await send({"type": "http.response.body", "body": body})
