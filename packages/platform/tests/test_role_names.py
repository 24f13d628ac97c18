"""The name of a role that is no more is nobody's: it gives nothing, and no role gets it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from support.platform_parts import Api, Reconciled
from tradewind_platform.domain import roles
from tradewind_platform.domain.roles import ORGANIZATION, RETIRED, Binding, Role
from tradewind_platform.services import role_names
from tradewind_platform.store.tables import ApiToken, RoleBinding
from tradewind_platform.store.team_tables import Invite, Team, TeamRoleBinding

RELEASED = Path(__file__).parent / "released" / "role_names.txt"
"""Each name that a role ever had. Names are added to it, and never taken away."""
GONE = "workspace_steward"


@pytest.fixture
def retired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "RETIRED", frozenset({GONE}))


def test_a_name_that_a_role_ever_had_is_a_roles_or_retired_and_never_both() -> None:
    ever, now = set(RELEASED.read_text().split()), {one.value for one in Role}
    assert ever - now == RETIRED, "a role that is taken away stands in RETIRED from then on"
    assert now <= ever, "a new role's name is added to the list, so that it stays reserved"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/api-tokens", {"name": "ci"}),
        ("/v1/role-bindings", {"user": "ada"}),
        ("/v1/invites", {"email": "eve@example.com"}),
    ],
    ids=["a token", "a binding", "an invite"],
)
def test_a_retired_role_is_not_given_and_the_answer_says_why(
    api: Api, retired: None, path: str, asked: dict[str, str]
) -> None:
    answer = api.owner.post(path, json={**asked, "role": GONE, "workspace": "default"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["message"] == f"the role '{GONE}' is no more, and no role gets its name again"


def test_what_a_retired_role_gave_is_taken_away_once_with_an_event_for_each(
    reconciled: Reconciled, retired: None
) -> None:
    """As in a database that was restored, or is of a release before the role was retired."""
    workspace = UUID(reconciled.created()["workspace"])
    eve = reconciled.user("eve", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    token = reconciled.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    store, now = reconciled.platform.store, reconciled.time.now
    made: dict[str, Any] = {"role": GONE, "workspace_id": workspace, "created_at": now, "created_by": "ada"}
    with store.transaction(reconciled.organization) as db:
        team = Team(name="data", created_at=now, created_by="ada", updated_at=now, updated_by="ada")
        db.add(team)
        db.flush()
        db.add(RoleBinding(user_id=eve, **made))
        db.add(TeamRoleBinding(team_id=team.id, **made))
        db.add(Invite(email="eve@example.com", expires_at=now, **made))
        db.scalars(select(ApiToken).where(ApiToken.role == Role.WORKSPACE_VIEWER.value)).one().role = GONE

    assert [role_names.forget_retired(store, now=now) for _ in range(2)] == [4, 0]

    events = reconciled.events(action="role.retire")
    assert [(one["actor"], one["target"]) for one in events] == [("system", f"role:{GONE}")] * 4
    assert token.get("/v1/me").status_code in (401, 403)
    explained = reconciled.owner.get("/v1/access/eve", params={"workspace": "default"})
    assert explained.status_code == 200 and explained.json()["permissions"] == ["members.get"]
