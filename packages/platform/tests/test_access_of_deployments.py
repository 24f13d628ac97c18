"""What a Deployment is told about who has which role in it, and how soon."""

from __future__ import annotations

import asyncio
import time as wall
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from sqlalchemy import select

from support.platform_parts import Reconciled, Time
from tradewind_platform.api import internal_access
from tradewind_platform.api.access_watch import AccessWatch, end_of
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import Role
from tradewind_platform.domain.sign_in_sessions import EndReason, Method
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import access, deployment_credentials, secrets, sign_in_sessions
from tradewind_platform.services.change import Origin
from tradewind_platform.store.access_tables import DeploymentCredential
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, ApiTokenValue, Deployment, RoleBinding, User
from tradewind_protocol.access import ACCESS_PATH, AccessDocument


def _credential(reconciled: Reconciled, deployment: str) -> str:
    with reconciled.platform.store.reading(reconciled.organization) as db:
        return secrets.of(db, reconciled.platform.ring, UUID(deployment))[deployment_credentials.SECRET]


def _document(reconciled: Reconciled, deployment: str) -> AccessDocument:
    answer = _ask(reconciled, deployment)
    assert answer.status_code == 200, answer.text
    return AccessDocument.model_validate_json(answer.content)


def _ask(
    reconciled: Reconciled, deployment: str, *, credential: str | None = None, **params: Any
) -> httpx.Response:
    caller = reconciled.caller(credential or _credential(reconciled, deployment))
    return caller.get(ACCESS_PATH.format(deployment=deployment), params=params)


def _person(
    reconciled: Reconciled,
    name: str,
    role: Role,
    *,
    workspace: UUID | None = None,
    deployment: UUID | None = None,
) -> UUID:
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        user = User(name=name, created_at=reconciled.time.now)
        db.add(user)
        db.flush()
        binding = {"workspace_id": workspace, "deployment_id": deployment}
        db.add(
            RoleBinding(
                user_id=user.id, role=role.value, created_at=reconciled.time.now, created_by="ada", **binding
            )
        )
        return user.id


def test_people_have_the_role_of_their_scope_and_no_other(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    workspace, id = UUID(sales["workspace"]), UUID(sales["id"])
    _person(reconciled, "wanda", Role.WORKSPACE_OPERATOR, workspace=workspace)
    _person(reconciled, "dora", Role.DEPLOYMENT_AUTHOR, workspace=workspace, deployment=id)
    _person(reconciled, "otto", Role.ORGANIZATION_AUDITOR)
    _person(reconciled, "mia", Role.ORGANIZATION_MEMBER)

    def roles(deployment: dict[str, Any]) -> dict[str, tuple[str, bool]]:
        return {one.name: (one.role, one.audit) for one in _document(reconciled, deployment["id"]).users}

    everywhere = {"ada": ("ADMIN", True), "otto": ("VIEWER", True), "wanda": ("OP", False)}
    assert roles(sales) == {**everywhere, "dora": ("USER", False)}
    assert roles(ops) == everywhere


def test_the_nearest_who_may_give_a_role_are_named_first(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    workspace, id = UUID(sales["workspace"]), UUID(sales["id"])
    _person(reconciled, "zoe", Role.DEPLOYMENT_ADMIN, workspace=workspace, deployment=id)
    _person(reconciled, "walt", Role.WORKSPACE_OWNER, workspace=workspace)
    _person(reconciled, "vera", Role.DEPLOYMENT_VIEWER, workspace=workspace, deployment=id)
    assert _document(reconciled, sales["id"]).contacts == ("zoe", "walt", "ada")


def test_tokens_are_told_as_hashes_with_their_end_and_their_owners_limit(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    asked = {"name": "ci", "role": "deployment_operator", "deployment": "sales", "expires_in_days": 30}
    made = reconciled.owner.post("/v1/api-tokens", json=asked).json()
    rotated = reconciled.owner.post(
        f"/v1/api-tokens/{made['id']}/rotate", json={"overlap_minutes": 10}
    ).json()
    found = [one for one in _document(reconciled, sales["id"]).tokens if one.name == "token:ci"]
    by_hash = {one.hash: one for one in found}
    assert set(by_hash) == {hashed(made["token"]), hashed(rotated["token"])}
    assert {one.role for one in found} == {"OP"}
    now = reconciled.time.now
    assert by_hash[hashed(made["token"])].expires_at == now + timedelta(minutes=10)
    assert by_hash[hashed(rotated["token"])].expires_at == now + timedelta(days=30)
    assert made["token"] not in _ask(reconciled, sales["id"]).text
    reconciled.owner.delete(f"/v1/api-tokens/{made['id']}")
    assert "token:ci" not in {one.name for one in _document(reconciled, sales["id"]).tokens}


def test_a_personal_token_falls_with_its_owner(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    role = lambda: {one.role for one in _document(reconciled, sales["id"]).tokens if one.name == "token:ada"}  # noqa: E731
    assert role() == {"ADMIN"}
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        binding = db.scalars(select(RoleBinding).where(RoleBinding.user_id == reconciled.owner_id)).one()
        binding.role = Role.ORGANIZATION_AUDITOR.value
    assert role() == {"VIEWER"}
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        db.get_one(User, reconciled.owner_id).disabled_at = reconciled.time.now
    assert role() == set()


def test_a_session_that_has_ended_is_told_until_it_would_have_ended_anyway(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        row, _ = sign_in_sessions.begin(
            db, reconciled.owner_id, method=Method.PASSWORD, origin=Origin(), now=reconciled.time.now
        )
    assert _document(reconciled, sales["id"]).ended_sessions == ()
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        sign_in_sessions.end_of_user(db, reconciled.owner_id, EndReason.SIGNED_OUT, now=reconciled.time.now)
    assert _document(reconciled, sales["id"]).ended_sessions == (row.id,)
    reconciled.time.pass_(hours=13)
    _person(reconciled, "new", Role.ORGANIZATION_AUDITOR)
    assert _document(reconciled, sales["id"]).ended_sessions == ()


def test_only_the_deployments_own_credential_opens_its_document(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    own = _credential(reconciled, sales["id"])
    assert _ask(reconciled, sales["id"], credential=own).status_code == 200
    assert _ask(reconciled, ops["id"], credential=own).status_code == 401
    assert _ask(reconciled, str(uuid4()), credential=own).status_code == 401
    api_token = reconciled.owner.headers["authorization"].partition(" ")[2]
    assert _ask(reconciled, sales["id"], credential=api_token).status_code == 401
    assert reconciled.caller(None).get(ACCESS_PATH.format(deployment=sales["id"])).status_code == 401
    assert reconciled.caller(own).get("/v1/deployments").status_code == 401, "it opens nothing else"


def test_the_credential_of_a_deleted_deployment_opens_nothing(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    own = _credential(reconciled, sales["id"])
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    assert _ask(reconciled, sales["id"], credential=own).status_code == 401


def test_a_deployment_of_before_gets_a_credential_once(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    platform = reconciled.platform
    with platform.store.across_organizations() as db:
        db.delete(db.scalars(select(DeploymentCredential)).one())
        secrets.forget(db, UUID(sales["id"]))
    for _ in range(2):
        deployment_credentials.add_missing(platform.store, platform.ring, now=reconciled.time.now)
    assert _ask(reconciled, sales["id"]).status_code == 200


def test_the_credential_is_in_no_table_in_clear(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    value = _credential(reconciled, sales["id"])
    with reconciled.platform.store.engine.connect() as connection:
        for table in ("deployment_secret", "deployment_credential", "deployment_revision", "audit_event"):
            assert value not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


def test_uses_of_tokens_move_forward_only(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    token = reconciled.owner.get("/v1/api-tokens").json()["items"][0]
    caller = reconciled.caller(_credential(reconciled, sales["id"]))
    path = f"/internal/v1/deployments/{sales['id']}/token-uses"

    def told(offset: timedelta) -> str:
        at = (reconciled.time.now + offset).isoformat()
        uses = [{"token": token["id"], "at": at}, {"token": str(uuid4()), "at": at}]
        assert caller.post(path, json={"uses": uses}).status_code == 204
        with reconciled.platform.store.reading(reconciled.organization) as db:
            return str(db.get_one(ApiToken, UUID(token["id"])).last_used_at)

    before = reconciled.time.now
    assert told(timedelta(days=-1)) == str(before)
    reconciled.time.pass_(minutes=5)
    assert told(timedelta(minutes=-2)) == str(before + timedelta(minutes=3))
    assert told(timedelta(days=9)) == str(reconciled.time.now), "a clock that is ahead is not believed"


# ---- the revision


def _revision(reconciled: Reconciled) -> int:
    return access.revisions(reconciled.platform.store).get(reconciled.organization, 0)


def test_every_change_of_access_counts_up_and_nothing_else_does(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    store = reconciled.platform.store
    with store.transaction(reconciled.organization) as db:
        row, _ = sign_in_sessions.begin(
            db, reconciled.owner_id, method=Method.PASSWORD, origin=Origin(), now=reconciled.time.now
        )
        session = row.id

    def counts(change: Any) -> bool:
        before = _revision(reconciled)
        with store.transaction(reconciled.organization) as db:
            change(db)
        return _revision(reconciled) > before

    token = lambda db: db.scalars(select(ApiToken)).first()  # noqa: E731
    user = lambda db: db.get(User, reconciled.owner_id)  # noqa: E731
    now = reconciled.time.now
    assert counts(lambda db: setattr(token(db), "role", "organization_auditor"))
    assert counts(lambda db: setattr(token(db), "expires_at", now))
    assert counts(lambda db: db.add(ApiTokenValue(token_id=token(db).id, hash="h")))
    assert counts(lambda db: setattr(user(db), "disabled_at", now))
    assert counts(lambda db: db.delete(db.scalars(select(RoleBinding)).first()))
    assert counts(
        lambda db: sign_in_sessions.end_of_user(db, reconciled.owner_id, EndReason.SIGNED_OUT, now=now)
    )
    assert not counts(lambda db: setattr(token(db), "last_used_at", now))
    assert not counts(lambda db: setattr(token(db), "description", "x"))
    from tradewind_platform.store.people_tables import SignInSession

    assert not counts(
        lambda db: setattr(db.get(SignInSession, session), "last_seen_at", now + timedelta(minutes=9))
    )
    assert not counts(lambda db: setattr(db.get(Deployment, UUID(sales["id"])), "phase", "updating"))
    assert not counts(lambda db: db.add(User(name="later", created_at=now)))


def test_a_statement_over_many_rows_counts(reconciled: Reconciled) -> None:
    from sqlalchemy import delete, update

    for statement in (update(ApiToken).values(name="x"), delete(ApiTokenValue)):
        before = _revision(reconciled)
        with reconciled.platform.store.transaction(reconciled.organization) as db:
            db.execute(statement)
        assert _revision(reconciled) > before


def test_a_change_that_is_rolled_back_does_not_count(reconciled: Reconciled) -> None:
    before = _revision(reconciled)
    with pytest.raises(RuntimeError), reconciled.platform.store.transaction(reconciled.organization) as db:
        db.get_one(User, reconciled.owner_id).name = "other"
        db.flush()
        raise RuntimeError
    assert _revision(reconciled) == before


# ---- waiting


def test_a_role_of_a_team_counts_for_its_members_and_one_of_a_disabled_user_does_not(
    reconciled: Reconciled,
) -> None:
    sales = reconciled.created("sales")
    owner, workspace = reconciled.owner, UUID(sales["workspace"])
    tina = _person(reconciled, "tina", Role.ORGANIZATION_MEMBER)
    _person(reconciled, "dan", Role.WORKSPACE_OWNER, workspace=workspace)
    owner.post("/v1/teams", json={"name": "data"}).raise_for_status()
    owner.post("/v1/teams/data/members", json={"user": "tina"}).raise_for_status()
    bound = {"team": "data", "role": "workspace_operator", "workspace": "default"}
    owner.post("/v1/role-bindings", json=bound).raise_for_status()
    found = {one.name: one.role for one in _document(reconciled, sales["id"]).users}
    assert found == {"ada": "ADMIN", "dan": "ADMIN", "tina": "OP"}
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        db.scalars(select(User).where(User.name == "dan")).one().disabled_at = reconciled.time.now
    owner.delete(f"/v1/teams/data/members/{tina}").raise_for_status()
    assert [one.name for one in _document(reconciled, sales["id"]).users] == ["ada"]


def _rename(store: Store, organization: UUID) -> None:
    with store.transaction(organization) as db:
        db.scalars(select(User)).first().name = f"u-{new_id().hex[-9:]}"  # type: ignore[union-attr]


async def test_a_waiting_poll_is_answered_by_a_change(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    credential = _credential(reconciled, sales["id"])
    transport = httpx.ASGITransport(reconciled.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
        client.headers["Authorization"] = f"Bearer {credential}"
        path = ACCESS_PATH.format(deployment=sales["id"])
        since = (await client.get(path)).json()["revision"]
        with anyio.fail_after(10):
            waiting = asyncio.create_task(client.get(path, params={"since": since}))
            await asyncio.sleep(0)
            assert not waiting.done()
            await asyncio.to_thread(_rename, reconciled.platform.store, reconciled.organization)
            answer = await waiting
        assert answer.json()["revision"] == since + 1
        assert (await client.get(path, params={"since": since + 99})).status_code == 200, (
            "any other revision is news"
        )


@pytest.mark.parametrize(
    ("asked", "held"),
    [({}, 25), ({"hold": 3}, 3), ({"hold": 999}, 50)],
    ids=["no wish", "a wish", "too long"],
)
def test_a_poll_is_held_for_about_as_long_as_it_wishes_and_50_seconds_at_the_most(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], held: float
) -> None:
    """One that says nothing is of a Deployment that is older than the wish, and would give up after 40 seconds."""
    sales, seen = reconciled.created("sales"), []

    async def wait(_: AccessWatch, organization: UUID, since: int, *, seconds: float) -> None:
        seen.append(seconds)

    monkeypatch.setattr(AccessWatch, "wait", wait)
    answer = _ask(reconciled, sales["id"], since=_revision(reconciled), **asked)
    assert answer.status_code == 204
    assert 0.75 * held <= seen[0] <= held


def test_polls_that_began_at_once_do_not_end_at_once() -> None:
    ended = {round(50 * internal_access._spread(uuid4()), 1) for _ in range(500)}
    assert len(ended) > 80, "of 126 tenths of a second, from 37.5 to 50 seconds"


def test_long_waits_end_together_and_never_late() -> None:
    ends = {end_of(now, 40.0) for now in (10.1, 10.5, 10.9)}
    assert ends == {50.0}
    assert end_of(10.1, 0.3) == pytest.approx(10.4)


async def test_a_poll_without_news_ends_without_a_document(reconciled: Reconciled) -> None:
    since = _revision(reconciled)
    watch = AccessWatch(reconciled.platform.store)
    assert await watch.wait(reconciled.organization, since, seconds=0.05) is None


async def test_a_change_of_another_process_is_seen_within_two_seconds(reconciled: Reconciled) -> None:
    """Another process has a Store of its own, which tells this one nothing."""
    watch = AccessWatch(reconciled.platform.store)
    other = Store(reconciled.platform.store.engine)
    since = _revision(reconciled)
    with anyio.fail_after(2):
        waiting = asyncio.create_task(watch.wait(reconciled.organization, since, seconds=9))
        await asyncio.sleep(0)
        await asyncio.to_thread(_rename, other, reconciled.organization)
        assert await waiting == since + 1


async def test_polls_are_let_go_when_the_process_ends(reconciled: Reconciled) -> None:
    watch = AccessWatch(reconciled.platform.store)
    since = _revision(reconciled)
    with anyio.fail_after(5):
        waiting = asyncio.create_task(watch.wait(reconciled.organization, since, seconds=60))
        await asyncio.sleep(0)
        watch.close()
        assert await waiting is None


async def test_scenario_24_one_revocation_reaches_500_deployments_within_two_seconds(
    reconciled: Reconciled, time: Time
) -> None:
    sales = reconciled.created("sales")
    store = reconciled.platform.store
    workspace = UUID(sales["workspace"])
    with store.transaction(reconciled.organization) as db:
        cluster = db.get_one(Deployment, UUID(sales["id"])).cluster_id
        made = [
            Deployment(
                slug=f"d{number:07}", number=1000 + number, name=f"d{number}", live_name=f"d{number}",
                workspace_id=workspace, cluster_id=cluster, phase="running", revision=1, observed_revision=1,
                created_at=time.now, created_by="ada", updated_at=time.now, updated_by="ada",
            )
            for number in range(500)
        ]  # fmt: skip
        db.add_all(made)
        db.flush()
        for one in made:
            db.add(
                DeploymentCredential(
                    deployment_id=one.id, hash=hashed(f"tw_deployment_{one.id}"), created_at=time.now
                )
            )
    for number in range(40):
        _person(reconciled, f"w{number}", Role.WORKSPACE_AUTHOR, workspace=workspace)
    revoked = _person(reconciled, "eve", Role.WORKSPACE_OPERATOR, workspace=workspace)
    since = _revision(reconciled)

    async def poll(client: httpx.AsyncClient, deployment: UUID) -> AccessDocument:
        headers = {"Authorization": f"Bearer tw_deployment_{deployment}"}
        answer = await client.get(
            ACCESS_PATH.format(deployment=deployment), params={"since": since}, headers=headers
        )
        return AccessDocument.model_validate_json(answer.content)

    def revoke() -> tuple[float, float]:
        with store.transaction(reconciled.organization) as db:
            db.delete(db.scalars(select(RoleBinding).where(RoleBinding.user_id == revoked)).one())
        return wall.monotonic(), wall.process_time()

    transport = httpx.ASGITransport(reconciled.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform", timeout=60) as client:
        polls = [asyncio.create_task(poll(client, one.id)) for one in made]
        watch = reconciled.platform.access_watch
        with anyio.fail_after(60):
            while watch.waiting < 500:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            committed, spent = await asyncio.to_thread(revoke)
            documents = await asyncio.gather(*polls)
        took, cpu = wall.monotonic() - committed, wall.process_time() - spent
    assert all("eve" not in {user.name for user in one.users} for one in documents)
    assert {len(one.users) for one in documents} == {41}
    print(f"500 pollers were told {took:.2f} s after the commit, with {cpu:.2f} s of CPU")
    # The processor's time, because other tests run beside this one; the clients' share is in it.
    assert cpu < 2 and took < 20
