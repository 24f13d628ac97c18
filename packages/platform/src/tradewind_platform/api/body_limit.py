"""How large the body of a request may be. One limit for the whole API, before anything of a body is understood."""

from __future__ import annotations

import re
from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol.errors import Code, Refusal

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a caller with a credential: 500 environment variables, or a group with more than 100,000 members."""
MOST_BYTES_BEFORE_A_CALLER: Final = 1024 * 1024
"""Of a request whose route authenticates the caller: sign-in, the OAuth provider, API servers of Deployments."""
_DISCARDED: Final = 4
"""So many times the limit is read and dropped: a client that is cut off while it sends does not read why."""
_WITH_A_LIMIT_OF_THEIR_OWN: Final = re.compile(r"/v1/deployments/[^/]+/(archives|airflow)/")


class BodyTooLarge(HTTPException):
    """A body has more bytes than a request may have. The handlers of the application answer it with 413."""

    def __init__(self, most: int) -> None:
        self.refusal = Refusal(
            error=Code.TOO_LARGE,
            message=f"the body of this request has more than {most // 1024 // 1024} MiB",
            remedy="Send it in several requests.",
        )
        super().__init__(413, self.refusal.message)


class BodyLimit:
    """Counts a body while a route reads it. A route that reads no body costs nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _WITH_A_LIMIT_OF_THEIR_OWN.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            most = _most(scope)
            if size <= most:
                return message
            while message.get("more_body", False) and size < most * (1 + _DISCARDED):
                message = await receive()
                size += len(message.get("body", b""))
            raise BodyTooLarge(most)

        await self._app(scope, counted, send)


def _most(scope: Scope) -> int:
    known = "tradewind_caller" in scope or "tradewind_cluster" in scope
    return MOST_BYTES if known else MOST_BYTES_BEFORE_A_CALLER
