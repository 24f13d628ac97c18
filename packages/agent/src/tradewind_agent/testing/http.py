"""HTTP of the fake plane: credentials and versions of a request, and its response."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tradewind_protocol import versions
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message


def bearer(authorization: str) -> str:
    if not authorization:
        raise Refused(Code.TOKEN_MISSING, "the request has no Authorization header")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(Code.TOKEN_MALFORMED, "the Authorization header is not 'Bearer <token>'")
    return token


def check_protocol(header: str | None) -> None:
    if header is None:
        return
    try:
        theirs = versions.Version.parse(header)
    except ValueError as error:
        raise Refused(Code.MALFORMED, str(error)) from error
    if not versions.compatible(versions.PROTOCOL, theirs):
        raise Refused(Code.VERSION_SKEW, versions.refusal(agent=theirs, plane=versions.PROTOCOL))


async def send(
    sender: Callable[[Mapping[str, Any]], Awaitable[None]],
    status: int,
    answer: Any,
    headers: Mapping[str, str] | None = None,
) -> None:
    if isinstance(answer, Message):
        body = answer.model_dump_json().encode()
    else:
        body = b"" if answer is None else json.dumps(answer).encode()
    every = {"content-type": "application/json", "server": "fake", **(headers or {})}
    await sender(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in every.items()],
        }
    )
    await sender({"type": "http.response.body", "body": body})
