"""What the Airflow of a Deployment is told of a request that comes through the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fastapi.testclient import TestClient

from support.http_sink import HttpSink
from support.platform_parts import Reconciled
from tradewind_platform.api.app import create_app


class Airflow(HttpSink):
    """Keeps the headers of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Mapping[str, str]] = []

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        self.told.append(headers)
        return 200

    def answer(self, path: str, body: bytes) -> bytes:
        return b"{}"


def test_a_request_of_a_page_comes_by_the_public_way_from_its_browser(reconciled: Reconciled) -> None:
    """The plane takes the platform for a gateway: without a word of the endpoint, its events would call it unreadable."""
    reconciled.created()
    with Airflow() as airflow:
        app = create_app(replace(reconciled.platform, address=lambda slug: airflow.url))
        caller = TestClient(app, headers={"Authorization": reconciled.owner.headers["Authorization"]})
        claimed = {"X-Tradewind-Endpoint": "aws:vpce-1", "X-Forwarded-For": "203.0.113.9", "Cookie": "a=b"}
        answer = caller.post("/v1/deployments/sales/airflow/tradewind/v1/tokens", json={}, headers=claimed)
    assert answer.status_code == 200, answer.text
    (told,) = airflow.told
    assert told["X-Tradewind-Endpoint"] == "public"
    assert told["X-Forwarded-For"] == "testclient"
    assert "Cookie" not in told and told["Authorization"].startswith("Bearer ey")
