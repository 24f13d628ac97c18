"""Bodies and answers at the level of ASGI, with limits."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from tradewind_protocol import versions
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.api import problems, refusals

_PROTOCOL: Final = (versions.HEADER.lower().encode(), str(versions.PROTOCOL).encode())


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name (in lower case)."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def read(scope: Scope, receive: Receive, *, largest: int) -> bytes:
    """The whole body. Raises Refused TOO_LARGE as soon as that is known, and ClientGone."""
    check_length(scope, largest=largest)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise too_large(largest)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


class ClientGone(Exception):
    """The client hung up before its request was complete."""


def check_length(scope: Scope, *, largest: int) -> bool:
    """True when the request says how long it is. Raises Refused when that is too long, or is no number."""
    length = header(scope, b"content-length")
    if length is None:
        return False
    if not length.isdecimal():
        raise Refused(Code.MALFORMED, "the header Content-Length is not a number")
    if int(length) > largest:
        raise too_large(largest)
    return True


def too_large(largest: int) -> Refused:
    return Refused(
        Code.TOO_LARGE,
        f"the request is larger than the {largest} bytes this Deployment takes",
        remedy="send less at once, or raise [tradewind] largest_body_bytes",
    )


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first and then what `receive` gives."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def refuse(send: Send, refused: Refused) -> None:
    """Answer with a Refusal. Airflow's Task SDK shows a task what is under `detail`, so the words are there too."""
    problems.ANSWERED[refused.code.value] += 1
    refusals.seen(refused.refusal)
    refusal = refused.refusal.model_dump(mode="json")
    explained: dict[str, Any] = {"reason": refusal["error"], "message": refusal["message"]}
    if refusal["remedy"]:
        explained["remedy"] = refusal["remedy"]
    refusal["detail"] = {**refusal["detail"], **explained}
    wait = refused.refusal.detail.get("retry_after")
    more = [(b"retry-after", str(wait).encode())] if refused.code is Code.RATE_LIMITED and wait else []
    await answer(send, refused.status, json.dumps(refusal).encode(), *more)


async def answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    """Answer with JSON, and with `more` headers."""
    headers = [(b"content-type", b"application/json"), _PROTOCOL, *more]
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if status == 204 else body})


def signed(send: Send, *, without: frozenset[bytes] = frozenset()) -> Send:
    """A `send` that puts our protocol version on the answer and leaves some headers out."""

    async def on(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower() not in without and name.lower() != _PROTOCOL[0]
            ]
            message = {**message, "headers": [*kept, _PROTOCOL]}
        await send(message)

    return on
