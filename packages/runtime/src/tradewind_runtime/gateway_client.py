"""HTTP to the agent's gateway, over its unix socket. Every request of a component's process goes this way."""

from __future__ import annotations

import ssl
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.hosts import TRACES_PATH
from tradewind_protocol.messages import Message

BASE_URL = "http://gateway"
"""A host name for the Host header; the connection is the unix socket."""

EXECUTION_URL = f"{BASE_URL}/execution/"

SPANS_SECONDS = 2.0
"""For the agent, on the same machine, to take spans."""

Answer = TypeVar("Answer", bound=Message)


class GatewayUnreachable(Exception):
    """The agent's gateway does not answer. It lives as long as the agent: usually the agent is stopping."""


def transport(path: str, *, connections: int = 10) -> httpx.HTTPTransport:
    """A pooled transport over the unix socket at `path`. Proxies of the environment play no part."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=2)
    # There is no TLS on a unix socket; left to itself httpx reads all of the world's authorities for each transport,
    # which is most of the time and memory a new client costs. This context knows none, so it trusts no server.
    trusts_none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.HTTPTransport(uds=path, limits=limits, verify=trusts_none)


def leave_spans(path: str, secret: str, request: bytes) -> bool:
    """Leave a request of OTLP with the gateway, which sends it to the site's collector. Whether the gateway has taken it."""
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-protobuf"}
    try:
        # A client for each request: most tasks leave one.
        with httpx.Client(
            base_url=BASE_URL,
            transport=transport(path, connections=1),
            timeout=SPANS_SECONDS,
            trust_env=False,
        ) as client:
            return client.post(TRACES_PATH, content=request, headers=headers).is_success
    except httpx.HTTPError:
        return False


class Gateway:
    """Our own verbs. Pooled; safe to use from several threads. Close it when done."""

    def __init__(self, path: str, secret: str, *, timeout: float = 60.0) -> None:
        self._path = path
        self._client = httpx.Client(
            base_url=BASE_URL,
            transport=transport(path),
            headers={"Authorization": f"Bearer {secret}"},
            timeout=timeout,
            trust_env=False,
        )

    def post(self, path: str, message: Message, *, timeout: float | None = None) -> dict[str, Any]:
        """POST one message and return the answer's JSON object ({} when the answer has no body).

        Raises Refused for a refusal, GatewayUnreachable when there is no answer. Never retries: our verbs are
        idempotent, the caller knows whether a retry is still of use.
        """
        content = message.model_dump_json().encode()
        headers = {"Content-Type": "application/json"}
        extra: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        try:
            answer = self._client.post(path, content=content, headers=headers, **extra)
        except httpx.TransportError as problem:
            raise GatewayUnreachable(
                f"no answer from the agent's gateway at {self._path} to {path} ({type(problem).__name__})"
            ) from problem
        if not answer.is_success:
            raise _refused(answer, path)
        return dict(answer.json()) if answer.content else {}

    def ask(
        self, path: str, message: Message, answer: type[Answer], *, timeout: float | None = None
    ) -> Answer:
        """`post`, with the answer read as a message of that type."""
        return answer.model_validate(self.post(path, message, timeout=timeout))

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self._client.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _refused(answer: httpx.Response, path: str) -> Refused:
    try:
        refusal = Refusal.model_validate_json(answer.content)
    except ValidationError:
        code = Code.UNAVAILABLE if answer.status_code >= 500 else Code.INTERNAL
        return Refused(code, f"{path} was answered with {answer.status_code} and no refusal")
    return Refused.as_told(refusal)
