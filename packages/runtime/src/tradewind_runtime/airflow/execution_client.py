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


def of_gateway(path: str, secret: str, *, connections: int = 10) -> Client:
    """Airflow's Execution API client over the gateway's unix socket at `path`, as the holder of `secret`. It keeps its own
    retries and headers, but waits for an answer as long as it takes: the agent at the other end holds requests while the plane
    is away, and answers in the end."""
    from airflow.sdk.api.client import Client

    # trust_env: no proxy and no .netrc between a task and its own agent.
    return Client(
        base_url=gateway_client.EXECUTION_URL,
        token=secret,
        transport=gateway_client.transport(path, connections=connections),
        trust_env=False,
        timeout=httpx.Timeout(None, connect=CONNECT_LIMIT),
    )


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
