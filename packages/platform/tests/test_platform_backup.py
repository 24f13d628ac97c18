"""The platform's own database is backed up while it runs, and restored without giving access back that was taken away."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from support import plane_archive
from support.platform_database import new_file
from tradewind_platform.clock import utc_now
from tradewind_platform.commands import platform as command
from tradewind_platform.home import PlatformSettings, alone, opened
from tradewind_platform.services import people, workspace_moves
from tradewind_platform.store import copies
from tradewind_platform.store.access_tables import AccessRevision
from tradewind_platform.store.address_tables import AllowedAddressList
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.role_tables import RoleDefinition
from tradewind_platform.store.scim_tables import ScimGroup, ScimGroupMember, ScimToken
from tradewind_platform.store.tables import (
    ApiToken,
    ApiTokenValue,
    Cluster,
    Deployment,
    Organization,
    RoleBinding,
    User,
    Workspace,
)
from tradewind_protocol import plane_archives


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    new_file(made / "platform.db")
    for name in ("ada", "grace"):
        assert run("admin", "create", name, "--home", made).exit_code == 0
    return made


@pytest.fixture
def backup(home: Path, tmp_path: Path) -> Path:
    file = tmp_path / "first.backup"
    with alone(PlatformSettings(home)):  # as while it runs
        done = run("backup", "--home", home, "--to", file)
    assert done.exit_code == 0 and "keys are not in it" in done.stderr, done.output
    return file


def revoke(home: Path, name: str) -> None:
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        token = db.scalars(select(ApiToken).where(ApiToken.name == name)).one()
        token.deleted_at = utc_now()
        db.scalars(select(User).where(User.name == name)).one().disabled_at = utc_now()


def good_tokens(home: Path) -> set[str]:
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        return set(db.scalars(select(ApiToken.name).where(ApiToken.deleted_at.is_(None))))


def test_a_backup_is_for_its_owner_only_and_has_no_key(home: Path, backup: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0
    key = (home / "keys").read_text().split()[-1]
    assert key.encode() not in backup.read_bytes()
    again = run("backup", "--home", home, "--to", backup)
    assert again.exit_code != 0 and "is there" in again.stderr


def test_a_restore_says_what_is_lost_and_changes_nothing_unless_that_is_accepted(
    home: Path, backup: Path
) -> None:
    assert run("admin", "create", "linus", "--home", home).exit_code == 0
    refused = run("restore", backup, "--home", home)
    assert refused.exit_code != 0 and "1 API tokens made since are forgotten" in refused.stderr
    assert good_tokens(home) == {"ada", "grace", "linus"}
    done = run("restore", backup, "--home", home, "--accept-loss")
    assert done.exit_code == 0, done.output
    assert good_tokens(home) == {"ada", "grace"}
    assert [one for one in home.iterdir() if one.name.startswith("platform.db.before-")]


def test_a_token_that_was_revoked_since_stays_revoked_and_its_user_disabled(home: Path, backup: Path) -> None:
    revoke(home, "grace")
    done = run("restore", backup, "--home", home, "--accept-loss")
    assert done.exit_code == 0 and "stay deleted: grace" in done.stderr, done.output
    assert good_tokens(home) == {"ada"}
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        assert db.scalars(select(User).where(User.name == "grace")).one().disabled_at is not None


def test_the_value_that_a_token_had_before_it_was_rotated_is_not_good_again(home: Path, backup: Path) -> None:
    def values() -> list[ApiTokenValue]:
        with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
            return list(db.scalars(select(ApiTokenValue).where(ApiTokenValue.until.is_(None))))

    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        for value in db.scalars(select(ApiTokenValue)):
            value.until = utc_now()
    assert len(values()) == 0
    assert run("restore", backup, "--home", home, "--accept-loss").exit_code == 0
    assert len(values()) == 0


def test_a_role_that_was_taken_away_since_stays_away(home: Path, backup: Path) -> None:
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        for binding in db.scalars(select(RoleBinding)):
            db.delete(binding)
    done = run("restore", backup, "--home", home, "--accept-loss")
    assert done.exit_code == 0 and "2 role bindings stay removed" in done.stderr, done.output
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        assert db.scalars(select(RoleBinding)).all() == []


def test_deployments_see_a_newer_revision_of_access_than_they_have(home: Path, backup: Path) -> None:
    def revision() -> int:
        with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
            return max(db.scalars(select(AccessRevision.revision)), default=0)

    run("admin", "create", "linus", "--home", home)
    before = revision()
    assert run("restore", backup, "--home", home, "--accept-loss").exit_code == 0
    assert before < revision()


def test_without_the_database_that_was_there_no_token_is_good(home: Path, backup: Path) -> None:
    for file in home.glob("platform.db*"):
        file.unlink()
    done = run("restore", backup, "--home", home, "--accept-loss")
    assert done.exit_code == 0 and "cannot be read" in done.stderr, done.output
    assert good_tokens(home) == set()


def test_a_platform_that_runs_another_platforms_backup_and_other_keys_are_refused(
    home: Path, backup: Path, tmp_path: Path
) -> None:
    with alone(PlatformSettings(home)):
        running = run("restore", backup, "--home", home, "--accept-loss")
    assert running.exit_code != 0 and "runs already" in running.stderr

    other = tmp_path / "other"
    with opened(PlatformSettings(other)) as (store, _):
        people.first_organization(store, "globex", now=utc_now())
    keyless = run("restore", backup, "--home", other, "--accept-loss")
    assert keyless.exit_code != 0 and "key" in keyless.stderr
    shutil.copy(home / "keys", tmp_path / "kept")
    (other / "keys").write_text((other / "keys").read_text() + (home / "keys").read_text())
    foreign = run("restore", backup, "--home", other, "--accept-loss")
    assert foreign.exit_code != 0 and "another platform" in foreign.stderr
    with opened(PlatformSettings(other)) as (store, _), store.reading_all() as db:
        assert list(db.scalars(select(Organization.name))) == ["globex"]


def test_what_is_no_backup_is_refused_and_leaves_the_platform_as_it_is(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "torn"
    file.write_bytes((home / "platform.db").read_bytes()[:5000] + b"x" * 3000)
    done = run("restore", file, "--home", home, "--accept-loss")
    assert done.exit_code != 0 and "no whole backup" in done.stderr
    assert good_tokens(home) == {"ada", "grace"} and not list(home.glob("*.restored*"))


@pytest.fixture
def archives(home: Path) -> PlaneArchives:
    return PlaneArchives(home / "local" / "archives")


def deployed(archives: PlaneArchives, slug: str, text: str = "") -> tuple[str, bytes]:
    """An archive of code that was deployed."""
    digest, content = plane_archive.made(text)
    received = archives.incoming()
    received.write_bytes(content)
    with received.open("rb") as file:
        archives.keep(slug, plane_archives.check(file), received)
    return digest, content


def test_code_that_was_deployed_is_in_a_backup_and_comes_back(
    home: Path, archives: PlaneArchives, tmp_path: Path
) -> None:
    digest, content = deployed(archives, "d2345abc")
    replaced, _ = deployed(archives, "d2345abc", "# another")
    file = tmp_path / "with-code.backup"
    assert "2 archives of deployed code" in run("backup", "--home", home, "--to", file).stdout
    assert file.stat().st_mode & 0o077 == 0 and sorted(tmp_path.iterdir()) == [home, file]
    found = archives.read("d2345abc", digest)
    shutil.rmtree(home / "local" / "archives")
    deployed(archives, "d2345abc", "# another")
    done = run("restore", file, "--home", home, "--accept-loss")
    assert done.exit_code == 0 and "came back: 1" in done.stdout, done.output
    assert archives.read("d2345abc", digest) == found
    with archives.opened("d2345abc", digest) as opened_:
        assert opened_.read() == content
    assert archives.read("d2345abc", replaced) is not None
    for folder in (home / "local" / "archives", home / "local" / "archives" / "d2345abc"):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_backup_of_a_release_before_is_the_database_alone(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "old.backup"
    copies.copy(home / "platform.db", file)
    revoke(home, "grace")
    assert run("restore", file, "--home", home, "--accept-loss").exit_code == 0
    assert good_tokens(home) == {"ada"}


@pytest.mark.parametrize(
    "name", ["archives/../../keys", "archives/d2345abc/x", "archives/D/" + "0" * 64 + ".tar.gz"]
)
def test_a_backup_puts_files_nowhere_but_where_archives_are(
    home: Path, backup: Path, tmp_path: Path, name: str
) -> None:
    keys, database = ((home / one).read_bytes() for one in ("keys", "platform.db"))
    with tarfile.open(backup, "a") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    done = run("restore", backup, "--home", home, "--accept-loss")
    assert done.exit_code != 0 and "no file of an archive" in done.stderr
    assert ((home / "keys").read_bytes(), (home / "platform.db").read_bytes()) == (keys, database)
    assert not list((home / "local").rglob("x"))


def test_a_scim_token_that_was_revoked_or_replaced_since_is_not_good_again(
    home: Path, tmp_path: Path
) -> None:
    def tokens(*values: str, replaced: bool = False) -> None:
        with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
            organization = db.scalars(select(Organization.id)).one()
            for row in db.scalars(select(ScimToken)):
                row.until = utc_now() if replaced else row.until
            for value in values:
                made = {"created_at": utc_now(), "created_by": "ada", "prefix": "tw_scim_"}
                db.add(ScimToken(organization_id=organization, hash=value, **made))

    tokens("first", "second")
    file = tmp_path / "with-scim.backup"
    assert run("backup", "--home", home, "--to", file).exit_code == 0
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        db.delete(db.scalars(select(ScimToken).where(ScimToken.hash == "first")).one())
    tokens("third", replaced=True)
    done = run("restore", file, "--home", home, "--accept-loss")
    assert "2 SCIM tokens stay revoked" in done.stderr, done.output
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        assert db.scalars(select(ScimToken)).all() == []


def test_a_person_who_was_taken_out_of_a_pushed_group_since_is_not_in_its_team_again(
    home: Path, tmp_path: Path
) -> None:
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        organization = db.scalars(select(Organization.id)).one()
        made = {"organization_id": organization, "created_at": utc_now(), "updated_at": utc_now()}
        group = ScimGroup(display_name="owners", **made)
        db.add(group)
        db.flush()
        for user in db.scalars(select(User)):
            db.add(ScimGroupMember(organization_id=organization, group_id=group.id, user_id=user.id))
    file = tmp_path / "with-groups.backup"
    assert run("backup", "--home", home, "--to", file).exit_code == 0
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        grace = db.scalars(select(User).where(User.name == "grace")).one()
        db.delete(db.scalars(select(ScimGroupMember).where(ScimGroupMember.user_id == grace.id)).one())
    done = run("restore", file, "--home", home, "--accept-loss")
    assert "1 members of groups that SCIM has sent stay removed" in done.stderr, done.output
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        names = select(User.name).join(ScimGroupMember, ScimGroupMember.user_id == User.id)
        assert db.scalars(names).all() == ["ada"]


def define(home: Path, name: str, permissions: list[str], airflow_role: str | None = None) -> None:
    """Make the custom role, or make it what it says."""
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        row = db.scalar(select(RoleDefinition).where(RoleDefinition.name == name))
        if row is None:
            at = utc_now()
            made = {"created_at": at, "created_by": "ada", "updated_at": at, "updated_by": "ada"}
            row = RoleDefinition(organization_id=db.scalars(select(Organization.id)).one(), name=name, **made)
            db.add(row)
        row.permissions, row.airflow_role = permissions, airflow_role


def test_a_custom_role_that_was_narrowed_or_deleted_since_stays_so_and_a_name_made_since_stays_its_own(
    home: Path, tmp_path: Path
) -> None:
    define(home, "narrowed", ["deployment.get", "deployment.delete"], "ADMIN")
    define(home, "widened", ["deployment.get"])
    define(home, "ended", ["deployment.get"])
    file = tmp_path / "with-roles.backup"
    assert run("backup", "--home", home, "--to", file).exit_code == 0
    define(home, "narrowed", ["deployment.get", "deployment.upgrade"], "VIEWER")
    define(home, "widened", ["deployment.get", "deployment.delete"], "OP")
    define(home, "later", ["deployment.get"])
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        ended = db.scalars(select(RoleDefinition).where(RoleDefinition.name == "ended")).one()
        ended.deleted_at = utc_now()
    done = run("restore", file, "--home", home, "--accept-loss")
    assert done.exit_code == 0 and "no wider than they were: ended, narrowed" in done.stderr, done.output
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        found = {
            one.name: (one.deleted_at is None, one.permissions, one.airflow_role)
            for one in db.scalars(select(RoleDefinition))
        }
    assert found == {
        "narrowed": (True, ["deployment.get"], "VIEWER"),
        "widened": (True, ["deployment.get"], None),
        "ended": (False, ["deployment.get"], None),
        "later": (False, [], None),
    }


def deployment_in(home: Path, name: str) -> None:
    """The Deployment `sales` belongs to the workspace, with a role on the Deployment itself. All are made when they are missing."""
    with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
        at, organization = utc_now(), db.scalars(select(Organization.id)).one()
        made = {"organization_id": organization, "created_at": at, "created_by": "ada"}
        changed = {"updated_at": at, "updated_by": "ada"}
        workspace = db.scalar(select(Workspace).where(Workspace.name == name))
        if workspace is None:
            workspace = Workspace(name=name, description="", revision=1, **made, **changed)
            db.add(workspace)
            db.flush()
        row = db.scalar(select(Deployment).where(Deployment.name == "sales"))
        if row is not None:
            workspace_moves.bind(db, row, workspace.id)
            return
        addresses = {"agents_url": "https://a.example", "people_url": "https://{slug}.example"}
        cluster = Cluster(
            name="here", slug="here", driver="local", **addresses, created_at=at, organization_id=organization
        )
        db.add(cluster)
        db.flush()
        names = {"name": "sales", "live_name": "sales", "slug": "sales-1", "number": 1, "phase": "running"}
        there = {"workspace_id": workspace.id, "cluster_id": cluster.id}
        row = Deployment(**names, **there, revision=1, observed_revision=1, **made, **changed)
        db.add(row)
        db.flush()
        user = db.scalars(select(User).where(User.name == "ada")).one()
        role = {"user_id": user.id, "role": "deployment_admin", "deployment_id": row.id}
        db.add(RoleBinding(**role, workspace_id=workspace.id, **made))


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "made since"])
def test_a_deployment_that_was_moved_since_is_not_given_back_to_its_former_workspace(
    home: Path, tmp_path: Path, is_known: bool
) -> None:
    """Unless the backup does not know where it was moved to: that is said before."""
    for name in ("lab", "former") if is_known else ("former",):
        deployment_in(home, name)
    file = tmp_path / "before-the-move.backup"
    assert run("backup", "--home", home, "--to", file).exit_code == 0
    deployment_in(home, "lab")
    said = run("restore", file, "--home", home)
    assert ("in their former workspace again" in said.stderr) is not is_known, said.output
    done = run("restore", file, "--home", home, "--accept-loss")
    assert done.exit_code == 0, done.output
    assert ("stay in the workspace they were moved to: sales" in done.stderr) is is_known
    with opened(PlatformSettings(home)) as (store, _), store.reading_all() as db:
        found = select(Workspace.name, RoleBinding.workspace_id == Workspace.id)
        bound = found.join(Deployment, Deployment.workspace_id == Workspace.id).join(
            RoleBinding, RoleBinding.deployment_id == Deployment.id
        )
        assert db.execute(bound).all() == [("lab" if is_known else "former", True)]


@pytest.mark.parametrize("then", [["198.51.100.0/24", "203.0.113.0/24"], []], ids=["wider", "no list"])
def test_a_network_that_was_taken_off_the_list_since_is_not_allowed_again(
    home: Path, tmp_path: Path, then: list[str]
) -> None:
    def allow(networks: list[str]) -> None:
        with opened(PlatformSettings(home)) as (store, _), store.across_organizations() as db:
            row = db.scalar(select(AllowedAddressList))
            if row is None:
                organization = db.scalars(select(Organization.id)).one()
                row = AllowedAddressList(organization_id=organization, revision=0)
                db.add(row)
            row.networks = [{"network": one, "description": ""} for one in networks]
            row.changed_at, row.changed_by, row.revision = utc_now(), "ada", row.revision + 1

    if then:
        allow(then)
    file = tmp_path / "with-a-list.backup"
    assert run("backup", "--home", home, "--to", file).exit_code == 0
    allow(["203.0.113.0/24"])
    done = run("restore", file, "--home", home, "--accept-loss")
    assert "The list of allowed addresses stays as it is." in done.stderr, done.output
    assert run("allowed-ips", "list", "--home", home).stdout.split() == ["203.0.113.0/24"]
