"""Which tokens open Airflow's REST API and the operator API, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.auth_manager.users import PlatformUser

from .conftest import DEPLOYMENT, Deployment

API_TOKEN = "tw_api_" + "a" * 43


def _proxied(deployment: Deployment, role: str, **more: Any) -> str:
    """As the platform makes for a request that it passes on."""
    now = datetime.now(timezone.utc)
    claims = {"jti": uuid4().hex, "sub": str(uuid4()), "name": "ada", "via": "platform", "role": role}
    claims |= {"aud": "apache-airflow", "iat": now, "nbf": now, "exp": now + timedelta(minutes=1), **more}
    return jwt.encode(claims, "k" * 64, algorithm="HS512")


def test_an_api_token_opens_airflows_rest_api_and_the_operator_api(deployment: Deployment) -> None:
    deployment.platform.api_token(API_TOKEN, "OP")
    deployment.up_to_date()
    caller = deployment.bearer(API_TOKEN)
    assert caller.get("/api/v2/connections").status_code == 200
    me = caller.get("/tradewind/v1/me")
    assert me.status_code == 200, me.text
    assert me.json()["name"] == "token:ci"


def test_an_api_token_is_swapped_for_a_token_of_airflow(deployment: Deployment) -> None:
    deployment.platform.api_token(API_TOKEN, "VIEWER")
    deployment.up_to_date()
    browser = deployment.browser()
    for body in (
        {"json": {"token": API_TOKEN}},
        {"json": {"username": "x", "password": API_TOKEN}},
        {"data": {"username": "x", "password": API_TOKEN}},
        {"headers": {"Authorization": f"Bearer {API_TOKEN}"}},
    ):
        answer = browser.post("/auth/token", **body)  # type: ignore[arg-type]
        assert answer.status_code == 201, answer.text
        caller = deployment.bearer(answer.json()["access_token"])
        assert caller.get("/api/v2/dags").status_code == 200
        assert caller.get("/api/v2/connections").status_code == 403
    assert browser.post("/auth/token", json={"username": "admin", "password": "admin"}).status_code == 400
    assert browser.post("/auth/token", json={"token": "tw_api_" + "b" * 43}).status_code == 401


def test_a_deleted_token_opens_nothing_nor_does_what_it_was_swapped_for(deployment: Deployment) -> None:
    deployment.platform.api_token(API_TOKEN, "OP")
    deployment.up_to_date()
    swapped = deployment.browser().post("/auth/token", json={"token": API_TOKEN}).json()["access_token"]
    deployment.platform.change(tokens=())
    deployment.up_to_date()
    for one in (API_TOKEN, swapped):
        assert deployment.bearer(one).get("/api/v2/dags").status_code == 403
        assert deployment.bearer(one).get("/tradewind/v1/me").status_code == 401


def test_a_token_ends_at_its_moment_without_the_platform(deployment: Deployment) -> None:
    now = datetime.now(timezone.utc)
    deployment.platform.api_token(API_TOKEN, "OP", expires_at=now + timedelta(minutes=5))
    deployment.up_to_date()
    swapped = deployment.browser().post("/auth/token", json={"token": API_TOKEN}).json()["access_token"]
    assert deployment.bearer(API_TOKEN).get("/api/v2/dags").status_code == 200
    later = lambda: now + timedelta(minutes=6)  # noqa: E731
    deployment.manager.replica._clock = later
    deployment.manager.clock = later  # type: ignore[method-assign]
    try:
        for one in (API_TOKEN, swapped):
            answer = deployment.bearer(one).get("/api/v2/dags")
            assert (answer.status_code, answer.json()["detail"]) == (401, "Token Expired")
    finally:
        del deployment.manager.clock


def test_a_changed_role_counts_for_tokens_that_were_made_before(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    deployment.up_to_date()
    caller = deployment.bearer(deployment.token_of(ada))
    assert caller.get("/api/v2/connections").status_code == 200
    deployment.platform.change(users=(ada.model_copy(update={"role": "VIEWER"}),))
    deployment.up_to_date()
    assert caller.get("/api/v2/connections").status_code == 403
    assert caller.get("/api/v2/dags").status_code == 200
    deployment.platform.change(users=())
    deployment.up_to_date()
    assert caller.get("/api/v2/dags").status_code == 403


def test_an_ended_session_lets_nobody_in(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    deployment.up_to_date()
    session = uuid4()
    caller, elsewhere = (
        deployment.bearer(deployment.token_of(ada, session=one)) for one in (session, uuid4())
    )
    assert caller.get("/api/v2/dags").status_code == 200
    deployment.platform.change(ended_sessions=(session,))
    deployment.up_to_date()
    assert caller.get("/api/v2/dags").status_code == 403
    assert elsewhere.get("/api/v2/dags").status_code == 200


def test_a_session_that_is_over_lets_nobody_in(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    deployment.up_to_date()
    answer = deployment.bearer(deployment.token_of(ada, hours=-1)).get("/api/v2/dags")
    assert answer.status_code == 401


def test_a_browser_in_use_gets_a_new_token_before_the_old_one_ends(deployment: Deployment) -> None:
    now = datetime.now(timezone.utc)
    user = PlatformUser.of(
        {
            "sub": str(uuid4()),
            "name": "ada",
            "sid": str(uuid4()),
            "sid_exp": now.timestamp() + 9999,
            "iat": now.timestamp(),
        }
    )
    assert deployment.manager.refresh_user(user=user) is None
    deployment.manager.clock = lambda: now + timedelta(minutes=31)  # type: ignore[method-assign]
    try:
        assert deployment.manager.refresh_user(user=user) is user
    finally:
        del deployment.manager.clock


def test_what_the_platform_passes_on_has_the_role_that_it_says(deployment: Deployment) -> None:
    assert deployment.bearer(_proxied(deployment, "OP")).get("/api/v2/connections").status_code == 200
    assert deployment.bearer(_proxied(deployment, "VIEWER")).get("/api/v2/connections").status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"role": "ROOT", "via": "platform"},
        {"role": "ADMIN"},
        {"role": "ADMIN", "via": "somebody"},
        {"sub": "admin", "role": "ADMIN", "via": "platform"},
        {"aud": "urn:tradewind:another"},
    ],
    ids=[
        "an unknown role",
        "a role without the platform",
        "a role by another",
        "a name for an id",
        "another audience",
    ],
)
def test_a_token_that_nobody_makes_opens_nothing(deployment: Deployment, claims: dict[str, str]) -> None:
    base = {
        "jti": uuid4().hex,
        "sub": str(uuid4()),
        "name": "ada",
        "aud": "apache-airflow",
        "via": "platform",
        "role": "ADMIN",
    }
    base.pop("via" if "via" not in claims and "role" in claims else "none", None)
    now = datetime.now(timezone.utc)
    made = jwt.encode(
        {**base, "iat": now, "nbf": now, "exp": now + timedelta(minutes=1), **claims},
        "k" * 64,
        algorithm="HS512",
    )
    assert deployment.bearer(made).get("/api/v2/dags").status_code == 403


def test_the_allowed_addresses_of_a_managed_deployment_are_changed_on_the_platform(
    deployment: Deployment,
) -> None:
    body = {"networks": [], "reason": "test"}
    own = deployment.signed_in("ADMIN", audit=True).put("/tradewind/v1/allowed-addresses", json=body)
    assert own.status_code == 409
    assert "https://platform.example.com" in own.json()["remedy"]
    passed_on = deployment.bearer(_proxied(deployment, "ADMIN")).put(
        "/tradewind/v1/allowed-addresses", json=body
    )
    assert passed_on.status_code == 200, passed_on.text


def test_a_platform_that_is_not_heard_of_for_too_long_leaves_viewers(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN", audit=True)
    deployment.platform.api_token(API_TOKEN, "ADMIN")
    deployment.up_to_date()
    callers = [deployment.bearer(deployment.token_of(ada)), deployment.bearer(API_TOKEN)]
    now = datetime.now(timezone.utc)
    for hours, may in ((23, 200), (25, 403)):
        deployment.manager.replica._clock = lambda hours=hours: now + timedelta(hours=hours)
        for caller in callers:
            assert caller.get("/api/v2/connections").status_code == may
            assert caller.get("/api/v2/dags").status_code == 200
    deployment.up_to_date()
    assert callers[0].get("/api/v2/connections").status_code == 200


def test_a_restart_while_the_platform_is_away_keeps_the_roles(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "OP")
    deployment.up_to_date()
    token = deployment.token_of(ada)
    path = deployment.manager.link.access_file
    assert path is not None
    deployment.manager.replica = AccessReplica(path, DEPLOYMENT, max_age=86400)
    assert deployment.bearer(token).get("/api/v2/dags").status_code == 403, (
        "nothing is known before the file is read"
    )
    deployment.manager.init()
    assert deployment.bearer(token).get("/api/v2/connections").status_code == 200
    assert path.stat().st_mode & 0o777 == 0o600


def test_uses_of_tokens_are_kept_for_the_platform(deployment: Deployment) -> None:
    made = deployment.platform.api_token(API_TOKEN, "OP")
    deployment.up_to_date()
    deployment.bearer(API_TOKEN).get("/api/v2/dags")
    (use,) = deployment.manager.replica.take_uses()
    assert use.token == made.id
    assert deployment.manager.replica.take_uses() == ()


def test_a_dag_may_name_who_answers_by_name_or_by_id(deployment: Deployment) -> None:
    id = UUID("0197b3a2-0000-7000-8000-000000000001")
    user = PlatformUser(id, "ada")
    assert deployment.manager.is_authorized_hitl_task(assigned_users={"ada"}, user=user)
    assert deployment.manager.is_authorized_hitl_task(assigned_users={str(id)}, user=user)
    assert not deployment.manager.is_authorized_hitl_task(assigned_users={"bob"}, user=user)
