"""Airflow's client of its Execution API, speaking to the agent's gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from tradewind_runtime import gateway_client

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client

CONNECT_LIMIT = 5.0
"""Seconds to reach the agent's gateway, on the same machine."""


def of_gateway(path: str, secret: str) -> Client:
    """A client over the unix socket at `path`, as the holder of `secret`."""
    return made(secret, gateway_client.transport(path))


def made(secret: str, transport: httpx.BaseTransport) -> Client:
    """Airflow's Execution API client with our transport. It keeps its own retries and headers, but waits for an answer
    as long as it takes: the agent at the other end holds requests while the plane is away, and answers in the end.
    It keeps no cookies: an agent gives none, and to look for them in each answer costs more than the answer."""
    from airflow.sdk.api.client import Client

    # trust_env: no proxy and no .netrc between a task and its own agent.
    client = Client(
        base_url=gateway_client.EXECUTION_URL,
        token=secret,
        transport=transport,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=CONNECT_LIMIT),
    )
    client.cookies.extract_cookies = lambda _: None
    return client


@contextmanager
def speaking_as(client: Client, secret: str) -> Iterator[None]:
    """Let a client that was made without one carry `secret`. Afterwards it has neither the secret nor a connection, and
    can be used again."""
    from airflow.sdk.api.client import BearerAuth

    before = client.auth
    client.auth = BearerAuth(secret)
    try:
        yield
    finally:
        client.auth = before
        client._transport.close()  # of a pool: it opens new connections when it is asked again
