"""Encryption at rest: no value in clear, keys that are missing or wrong, rotation (scenarios 18 and 19)."""

from __future__ import annotations

import base64
import os
import secrets
import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from support.platform_parts import NOW
from tradewind_platform.domain.ids import new_id
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyProblem, KeyRing, key_of
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentSecret, Workspace

CANARY = "canary-" + secrets.token_hex(8)


@pytest.fixture
def deployment(store: Store, organization: UUID) -> UUID:
    made = {"created_at": NOW, "created_by": "ada", "updated_at": NOW, "updated_by": "ada"}
    with store.transaction(organization) as db:
        place = Workspace(name="w", **made)
        cluster = Cluster(slug="c1", name="c", driver="fake", agents_url="", people_url="", created_at=NOW)
        db.add_all([place, cluster])
        db.flush()
        found = Deployment(
            slug="d1", number=1, name="d", live_name="d", workspace_id=place.id, cluster_id=cluster.id,
            phase="running", **made,
        )  # fmt: skip
        db.add(found)
        db.flush()
        return found.id


def add_secret(
    store: Store, ring: KeyRing, organization: UUID, deployment: UUID, name: str, value: str
) -> UUID:
    id = new_id()
    stored = ring.encrypt(value, row=at_rest.row_of(DeploymentSecret, id, "value"))
    with store.transaction(organization) as db:
        db.add(DeploymentSecret(id=id, deployment_id=deployment, name=name, value=stored))
    return id


def read_secret(store: Store, ring: KeyRing, organization: UUID, id: UUID) -> str:
    with store.reading(organization) as db:
        row = db.get_one(DeploymentSecret, id)
        return ring.decrypt(row.value, row=at_rest.row_of(DeploymentSecret, id, "value"))


def test_scenario_18_a_secret_is_in_no_table_and_no_file_in_clear(
    store: Store, ring: KeyRing, organization: UUID, deployment: UUID, tmp_path: Path
) -> None:
    id = add_secret(store, ring, organization, deployment, "fernet", CANARY)
    assert read_secret(store, ring, organization, id) == CANARY
    with store.across_organizations() as db:
        everything = [tuple(row) for row in db.execute(text("SELECT * FROM deployment_secret"))]
    assert everything and CANARY not in repr(everything)
    assert CANARY not in repr(ring)
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert written and not [path for path in written if CANARY.encode() in path.read_bytes()]


def test_a_stored_value_decrypts_in_its_own_row_only(ring: KeyRing) -> None:
    stored = ring.encrypt(CANARY, row="t:1:value")
    with pytest.raises(KeyProblem, match="t:2:value does not decrypt"):
        ring.decrypt(stored, row="t:2:value")


def test_a_value_that_was_changed_does_not_decrypt(ring: KeyRing) -> None:
    head, _, sealed = ring.encrypt(CANARY, row="r").rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(sealed))
    raw[-1] ^= 1
    with pytest.raises(KeyProblem, match="does not decrypt"):
        ring.decrypt(f"{head}.{base64.urlsafe_b64encode(bytes(raw)).decode()}", row="r")


def test_two_encryptions_of_one_value_differ(ring: KeyRing) -> None:
    assert ring.encrypt("x", row="r") != ring.encrypt("x", row="r")


def test_the_key_file_is_for_its_owner_only(ring: KeyRing, tmp_path: Path) -> None:
    ring.add()
    assert oct(os.stat(tmp_path / "keys").st_mode & 0o777) == "0o600"


def test_a_key_file_is_not_made_over_another_one(ring: KeyRing, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        KeyRing.create(tmp_path / "keys")


@pytest.mark.parametrize("line", ["k1", "k1 ", "k1 AAAA", "k1 !", ""])
def test_a_key_file_that_is_damaged_says_where_and_not_what(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad").write_text(line + "\n")
    with pytest.raises(KeyProblem) as problem:
        KeyRing(tmp_path / "bad")
    assert "line 1 of" in str(problem.value) and "AAAA" not in str(problem.value)


def test_scenario_19_a_missing_key_refuses_to_start(store: Store, ring: KeyRing, tmp_path: Path) -> None:
    at_rest.check_keys(store, ring, now=NOW)
    at_rest.check_keys(store, ring, now=NOW)
    other = KeyRing.create(tmp_path / "other")
    with pytest.raises(KeyProblem, match=f"the key {ring.ids[0]}, which the key file has not"):
        at_rest.check_keys(store, other, now=NOW)


def test_scenario_19_another_key_under_the_same_id_refuses_to_start(
    store: Store, ring: KeyRing, tmp_path: Path
) -> None:
    at_rest.check_keys(store, ring, now=NOW)
    other = tmp_path / "other"
    other.write_text(f"{ring.ids[0]} {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
    with pytest.raises(KeyProblem, match="has another key under this id"):
        at_rest.check_keys(store, KeyRing(other), now=NOW)


def test_scenario_19_keys_rotate_under_load(
    store: Store, ring: KeyRing, organization: UUID, deployment: UUID, tmp_path: Path
) -> None:
    at_rest.check_keys(store, ring, now=NOW)
    before = [add_secret(store, ring, organization, deployment, f"old-{n}", f"v-{n}") for n in range(5)]
    running = KeyRing(tmp_path / "keys")  # of the platform that runs meanwhile
    written: list[UUID] = []
    stop = threading.Event()
    some = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            written.append(add_secret(store, running, organization, deployment, str(uuid4()), "live"))
            assert read_secret(store, running, organization, written[-1]) == "live"
            if len(written) == 5:
                some.set()

    server = threading.Thread(target=serve)
    server.start()
    some.wait(30)
    made, _ = at_rest.rotate(store, ring, now=NOW)
    stop.set()
    server.join()
    assert at_rest.rotate(store, ring, now=NOW)[1] >= 10  # what was written meanwhile is encrypted anew, too
    newest = ring.ids[0]
    with store.reading(organization) as db:
        assert {key_of(one) for one in db.scalars(select(DeploymentSecret.value))} == {newest}
    assert [read_secret(store, running, organization, id) for id in before] == [f"v-{n}" for n in range(5)]
    for key in ring.ids[1:]:
        at_rest.remove_key(store, ring, key)
    at_rest.check_keys(store, KeyRing(tmp_path / "keys"), now=NOW)
    assert ring.ids == (newest,) and made not in ring.ids
    assert read_secret(store, running, organization, written[0]) == "live"


def test_scenario_19_what_was_encrypted_with_the_key_before_and_is_committed_late_is_found(
    store: Store, ring: KeyRing, organization: UUID, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process encrypted it right before the new key was in the file."""
    at_rest.check_keys(store, ring, now=NOW)
    before, late = ring.ids[0], []
    encrypted_anew = at_rest._encrypted_anew

    def slowly(store: Store, ring: KeyRing, table: type, column: str) -> int:
        count = encrypted_anew(store, ring, table, column)
        if not late and table is DeploymentSecret:
            id = new_id()
            stored = ring.encrypt("late", row=at_rest.row_of(DeploymentSecret, id, "value"), key=before)
            with store.transaction(organization) as db:
                db.add(DeploymentSecret(id=id, deployment_id=deployment, name="late", value=stored))
            late.append(id)
        return count

    monkeypatch.setattr(at_rest, "_encrypted_anew", slowly)
    add_secret(store, ring, organization, deployment, "early", "early")
    made, count = at_rest.rotate(store, ring, now=NOW)
    assert count == 2
    with store.reading(organization) as db:
        assert {key_of(one) for one in db.scalars(select(DeploymentSecret.value))} == {made}
    assert read_secret(store, ring, organization, late[0]) == "late"


def test_of_two_rotations_at_once_neither_loses_the_key_of_the_other(ring: KeyRing, tmp_path: Path) -> None:
    other, before = KeyRing(tmp_path / "keys"), ring.ids
    first, second = ring.add(), other.add()
    assert ring.ids == other.ids == (second, first, *before)


def test_a_key_that_is_in_use_is_not_removed(
    store: Store, ring: KeyRing, organization: UUID, deployment: UUID
) -> None:
    at_rest.check_keys(store, ring, now=NOW)
    used = ring.ids[0]
    add_secret(store, ring, organization, deployment, "fernet", CANARY)
    ring.add()
    with pytest.raises(KeyProblem, match=f"values that are encrypted with the key {used}; rotate first"):
        at_rest.remove_key(store, ring, used)
    assert used in ring.ids
