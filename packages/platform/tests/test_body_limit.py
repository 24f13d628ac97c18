"""A body that is larger than one may be is refused before it is understood, with what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from support.platform_parts import Api
from support.scim import BASE, Scim
from tradewind_platform.api import body_limit

MIB = 1024 * 1024


def sent(bytes: int) -> Iterator[bytes]:
    """A body in pieces, without a length that a server could believe."""
    yield b'{"name": "'
    for _ in range(bytes // MIB):
        yield b"a" * MIB
    yield b'"}'


def test_a_body_that_is_too_large_is_told_the_limit_and_what_to_do(api: Api) -> None:
    answer = api.owner.post("/v1/workspaces", content=sent(17 * MIB))
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert "more than 16 MiB" in answer.json()["message"] and answer.json()["remedy"]
    assert api.owner.post("/v1/workspaces", content=sent(15 * MIB)).status_code == 422


def test_scim_is_told_so_in_its_own_form(api: Api) -> None:
    answer = Scim(api).client.post(
        f"{BASE}/Groups", content=sent(17 * MIB), headers={"Content-Type": "application/scim+json"}
    )
    assert (answer.status_code, answer.json()["status"]) == (413, "413")
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert "16 MiB" in answer.json()["detail"] and "several requests" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/sign-in", "/oauth/token"])
def test_who_has_shown_no_credential_may_send_less(api: Api, path: str) -> None:
    answer = api.browser().post(path, content=sent(2 * MIB), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large"), answer.text
    assert "1 MiB" in answer.json()["message"]


async def test_what_is_refused_is_read_further_and_not_for_ever() -> None:
    """A client that is cut off while it sends does not read why; one that never ends does not hold the platform."""
    read = 0

    async def endless() -> Message:
        nonlocal read
        read += MIB
        return {"type": "http.request", "body": b"a" * MIB, "more_body": True}

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            await receive()

    async def unused(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(body_limit.BodyTooLarge):
        await body_limit.BodyLimit(route)({"type": "http", "path": "/sign-in"}, endless, unused)
    assert read == 5 * MIB, "the limit, and four times as much that is dropped"


def test_an_archive_and_what_is_passed_on_to_airflow_have_a_limit_of_their_own(api: Api) -> None:
    for path in (f"archives/sha256:{'0' * 64}", "airflow/api/v2/dags"):
        answer = api.owner.put(f"/v1/deployments/sales/{path}", content=sent(17 * MIB))
        assert answer.status_code == 404, "there is no such Deployment: it was not the size"
