"""What sites may do with Dags of other sites, as an administrator says."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tradewind_provider.store.tables import Event, SiteAccessGrant

from .conftest import NOW

ASK = {"site": "reporting", "other": "warehouse", "access": "read", "reason": "reports"}


async def test_access_is_granted_once_listed_and_removed_and_that_is_written_down(
    signed_in: Any, rows: Any
) -> None:
    admin = signed_in("ada")
    made = (await admin.post("/site-access", json=ASK)).json()
    again = await admin.post("/site-access", json=ASK)
    assert (again.status_code, again.json()) == (201, made)
    page = (await signed_in("olga").get("/site-access")).json()
    assert (page["total"], page["items"]) == (1, [made])
    assert {name: made[name] for name in ("site", "other", "access", "created_by")} == {
        "site": "reporting",
        "other": "warehouse",
        "access": "read",
        "created_by": "ada",
    }
    for _ in range(2):
        gone = await admin.delete(f"/site-access/{made['id']}", params={"reason": "over"})
        assert gone.status_code == 204
    assert rows.read(select(SiteAccessGrant)) == []
    granted, removed = rows.read(select(Event).where(Event.action.like("site_access_%")).order_by(Event.id))
    assert (granted.action, granted.actor, granted.reason, granted.at) == (
        "site_access_granted",
        "ada",
        "reports",
        NOW,
    )
    assert (removed.action, removed.reason) == ("site_access_removed", "over")
    assert removed.detail == {"site": "reporting", "other": "warehouse", "access": "read"}


@pytest.mark.parametrize(
    "change",
    [{"site": "*"}, {"site": ""}, {"other": "a b"}, {"access": "own"}, {"other": "reporting"}],
)
async def test_what_names_no_two_sites_is_refused(signed_in: Any, rows: Any, change: dict[str, str]) -> None:
    answer = await signed_in("ada").post("/site-access", json={**ASK, **change})
    assert answer.status_code == 422, answer.text
    assert rows.read(select(SiteAccessGrant)) == []
