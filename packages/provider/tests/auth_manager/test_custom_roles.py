"""What a platform's custom role gives here: each permission by itself, and less where a version knows less."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tradewind_protocol.access import AccessDocument, AccessUser
from tradewind_provider.auth_manager import reports
from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.auth_manager.users import PlatformUser
from tradewind_provider.domain.access import Access, holder_of
from tradewind_provider.domain.access_roles import AirflowRole

from .conftest import DEPLOYMENT, Deployment, FakePlatform

MAKES_TOKENS = ("deployment.agentTokens.create",)


def test_one_who_makes_agent_tokens_does_nothing_else(deployment: Deployment) -> None:
    caller = deployment.signed_in("LIMITED", permissions=MAKES_TOKENS)
    made = caller.post(
        "/tradewind/v1/tokens", json={"name": f"ci-{uuid4().hex[:6]}", "environment": "default"}
    )
    assert made.status_code == 201, made.text
    refused = caller.delete(f"/tradewind/v1/tokens/{made.json()['id']}")
    assert refused.status_code == 403
    assert refused.json()["message"].endswith("may not deployment.agentTokens.delete")
    assert caller.get("/tradewind/v1/tokens").status_code == 403
    assert caller.get("/api/v2/dags").status_code == 403


def test_a_role_in_airflow_gives_a_custom_roles_holder_nothing_on_the_operator_api(
    deployment: Deployment,
) -> None:
    caller = deployment.signed_in("USER", permissions=("deployment.agents.get",), airflow_role="OP")
    assert caller.get("/api/v2/connections").status_code == 200
    assert caller.get("/tradewind/v1/agents").status_code == 200
    assert caller.get("/tradewind/v1/tokens").status_code == 403


def test_a_changed_role_counts_once_the_document_is_there(deployment: Deployment) -> None:
    user = deployment.platform.person("eve", "VIEWER", permissions=MAKES_TOKENS, airflow_role="VIEWER")
    deployment.up_to_date()
    caller = deployment.bearer(deployment.token_of(user))
    assert caller.get("/api/v2/dags").status_code == 200
    changed = user.model_copy(update={"role": "LIMITED", "airflow_role": None})
    deployment.platform.change(users=(changed,))
    deployment.up_to_date()
    assert caller.get("/api/v2/dags").status_code == 403
    assert caller.get("/tradewind/v1/me").status_code == 200


def test_me_names_a_permission_of_the_four_when_all_of_it_is_held_and_parts_by_themselves(
    deployment: Deployment,
) -> None:
    part = deployment.signed_in("LIMITED", permissions=("deployment.agents.get", "deployment.agents.update"))
    assert part.get("/tradewind/v1/me").json()["may"] == ["read", "deployment.agents.update"]


def test_an_api_server_says_that_it_goes_by_permissions(deployment: Deployment) -> None:
    """So the platform can name those who have less by an older one."""
    assert reports.counted().knows_permissions


@pytest.mark.parametrize(
    ("told", "role", "may"),
    [
        ({"role": "OP"}, AirflowRole.OP, True),
        ({"role": "OP", "permissions": ()}, None, False),
        ({"role": "OP", "permissions": (), "airflow_role": "OP"}, AirflowRole.OP, False),
        ({"role": "LIMITED", "permissions": ("deployment.agents.update",)}, None, True),
        (
            {"role": "OP", "permissions": ("deployment.agents.update",), "airflow_role": "SUPER"},
            None,
            True,
        ),
    ],
    ids=[
        "a role alone",
        "nothing",
        "a role without permissions",
        "a permission alone",
        "a role of a newer version",
    ],
)
def test_permissions_decide_where_there_are_some_and_the_role_where_there_are_none(
    told: dict[str, Any], role: AirflowRole | None, may: bool
) -> None:
    holder = holder_of(AccessUser(id=uuid4(), name="eve", **told))
    assert holder is not None
    assert (holder.role, holder.may("deployment.agents.update")) == (role, may)


@pytest.mark.parametrize("role", ["LIMITED", "SUPER"])
def test_a_role_that_a_version_does_not_know_gives_nothing(role: str) -> None:
    """As an API server of a release before custom roles reads a document of today's platform."""
    user = AccessUser(id=uuid4(), name="eve", role=role)
    assert Access.of(AccessDocument(deployment=DEPLOYMENT, revision=1, users=(user,))).users == {}


def test_a_request_that_the_platform_passes_on_has_what_the_token_says() -> None:
    claims: dict[str, Any] = {
        "sub": str(uuid4()),
        "name": "eve",
        "via": "platform",
        "role": "LIMITED",
        "iat": 1,
        "permissions": list(MAKES_TOKENS),
        "airflow_role": None,
    }
    holder = PlatformUser.of(claims).spoken_for
    assert holder is not None and holder.role is None
    assert holder.may(MAKES_TOKENS[0]) and not holder.may("deployment.agentTokens.delete")
    with pytest.raises(ValueError, match="does not know"):
        PlatformUser.of({key: value for key, value in claims.items() if key != "permissions"})


def test_a_platform_that_was_not_heard_of_for_too_long_leaves_what_a_viewer_has(
    tmp_path: Path, platform: FakePlatform
) -> None:
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    replica = AccessReplica(tmp_path / "access.json", DEPLOYMENT, max_age=60, clock=lambda: now)
    permissions = ("deployment.agents.get", *MAKES_TOKENS)
    eve = platform.person("eve", "VIEWER", permissions=permissions, airflow_role="OP", audit=True)
    bot = platform.person("bot", "LIMITED", permissions=MAKES_TOKENS)
    replica.accept(platform.document)
    now += timedelta(seconds=61)
    left, nothing = replica.user(eve.id), replica.user(bot.id)
    assert left is not None and nothing is not None
    assert (left.role, left.may("deployment.agents.get"), left.may(MAKES_TOKENS[0])) == (
        AirflowRole.VIEWER,
        True,
        False,
    )
    assert not left.audit
    assert (nothing.role, nothing.may("deployment.agents.get"), nothing.may(MAKES_TOKENS[0])) == (
        None,
        False,
        False,
    )
