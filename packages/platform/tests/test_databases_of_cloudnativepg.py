"""What the controller asks of CloudNativePG, and what it does itself as the role of a Deployment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

from support import postgresql
from tradewind_platform.drivers.away import Away
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import Access, KubernetesApi
from tradewind_platform.kubernetes.cloud_native_pg import CloudNativePGDatabases
from tradewind_platform.kubernetes.settings import CloudNativePG, KubernetesSettings
from tradewind_platform.reconciler.driver import StepFailed

PLACE = CloudNativePG(namespace="databases", cluster="main")
SLUG, PASSWORD = "d2345abc", "canary-password"
SECRETS = "/api/v1/namespaces/databases/secrets"
OBJECTS = "/apis/postgresql.cnpg.io/v1/namespaces/databases"


@dataclass
class Operator:
    """An API server with a Cluster, and its operator, which acts when it is told to. With `server` it makes roles and
    databases in earnest."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    server: URL | None = None

    def __post_init__(self) -> None:
        self.objects[f"{OBJECTS}/clusters/main"] = {"status": {"pgDataImageInfo": {"majorVersion": 17}}}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        self.requests.append((method, path))
        body = json.loads(request.content or b"{}")
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return httpx.Response(409)
            self.objects[path] = body
            return httpx.Response(201, json=body)
        if method == "PATCH" and "apply" in request.headers["content-type"]:
            body["metadata"].update(uid=f"uid of {path}", generation=1)
            found = self.objects.setdefault(path, body)
            found["spec"] = body["spec"]
            return httpx.Response(200, json=found)
        if path not in self.objects:
            return httpx.Response(404, json={"message": "not found"})
        if method == "PATCH":
            self.objects[path]["spec"].update(body["spec"])
        if method == "DELETE":
            self.objects[path]["metadata"]["deletionTimestamp"] = "now"
        return httpx.Response(200, json=self.objects[path])

    def act(self, *, message: str = "") -> None:
        """Make or drop what is asked for; with a message: fail with it."""
        for path, one in list(self.objects.items()):
            if one.get("kind") not in ("DatabaseRole", "Database"):
                continue
            if message:
                one["status"] = {"applied": False, "message": message}
            elif "deletionTimestamp" in one["metadata"]:
                self._drop(one)
                del self.objects[path]
            elif (
                one["kind"] == "DatabaseRole"
                and f"{SECRETS}/{one['spec']['passwordSecret']['name']}" not in self.objects
            ):
                one["status"] = {"applied": False, "message": "the Secret is not found"}
            elif not one.get("status", {}).get("applied"):
                self._make(one)
                one["status"] = {"applied": True, "observedGeneration": 1}

    def named(self, kind: str) -> dict[str, Any]:
        [found] = [one for one in self.objects.values() if one.get("kind") == kind]
        return found

    def kinds(self) -> list[str]:
        return sorted(one["kind"] for one in self.objects.values() if "kind" in one)

    def _make(self, one: dict[str, Any]) -> None:
        if one["kind"] == "Database":
            self._run(f'CREATE DATABASE "{one["spec"]["name"]}" OWNER "{one["spec"]["owner"]}"')
        else:
            secret = self.objects[f"{SECRETS}/{one['spec']['passwordSecret']['name']}"]
            self._run(
                f"CREATE ROLE \"{one['spec']['name']}\" LOGIN PASSWORD '{secret['stringData']['password']}'"
            )

    def _drop(self, one: dict[str, Any]) -> None:
        what = "DATABASE" if one["kind"] == "Database" else "ROLE"
        policy = "databaseReclaimPolicy" if one["kind"] == "Database" else "databaseRoleReclaimPolicy"
        if one["spec"][policy] == "delete":
            self._run(f'DROP {what} "{one["spec"]["name"]}"')

    def _run(self, statement: str) -> None:
        if self.server is not None:
            with create_engine(self.server).connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                db.execute(text(statement))


class OnLoopback(CloudNativePGDatabases):
    """With the PostgreSQL of a test behind the Service of the primary."""

    def __init__(self, api: KubernetesApi, server: URL) -> None:
        super().__init__(api, PLACE)
        self._server = server

    def url(self, slug: str, password: str) -> URL:
        return self._server.set(username=slug, password=password, database=slug)


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def databases(operator: Operator) -> CloudNativePGDatabases:
    return CloudNativePGDatabases(api_of(operator), PLACE)


def api_of(operator: Operator) -> KubernetesApi:
    access = Access("https://kubernetes.test", Path("/none"))
    return KubernetesApi(access, transport=httpx.MockTransport(operator))


def test_a_role_is_made_before_its_database_and_each_is_waited_for(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    with pytest.raises(Away, match=f"has not made the DatabaseRole {SLUG}: it says nothing of it yet"):
        databases.ensure(SLUG, PASSWORD)
    operator.act(message="no space left")
    with pytest.raises(Away, match="no space left .kubectl --namespace databases describe databaserole"):
        databases.ensure(SLUG, PASSWORD)
    assert operator.kinds() == ["DatabaseRole", "Secret"]
    operator.act()
    with pytest.raises(Away, match=f"has not made the Database {SLUG}"):
        databases.ensure(SLUG, PASSWORD)
    assert operator.named("Database")["spec"]["owner"] == SLUG


def test_the_secret_is_made_once_postgresql_has_missed_it(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    for _ in range(2):
        with pytest.raises(Away):
            databases.ensure(SLUG, PASSWORD)
        assert operator.kinds() == ["DatabaseRole"], "it would be refused, and asked for half a minute later"
    operator.act()
    with pytest.raises(Away, match="the Secret is not found"):
        databases.ensure(SLUG, PASSWORD)
    assert operator.kinds() == ["DatabaseRole", "Secret"]


def test_the_password_is_in_the_secret_of_the_role_and_the_controller_never_asks_for_it_back(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    waited_for(databases, operator)
    secret = operator.named("Secret")
    assert secret["stringData"] == {"username": SLUG, "password": PASSWORD}
    assert (
        secret["metadata"]["ownerReferences"][0]["uid"] == operator.named("DatabaseRole")["metadata"]["uid"]
    )
    assert {method for method, path in operator.requests if "/secrets" in path} == {"POST"}
    others = [one for one in operator.objects.values() if one.get("kind") != "Secret"]
    assert PASSWORD not in json.dumps(others)


def test_an_applied_state_of_an_older_generation_counts_for_nothing(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    waited_for(databases, operator)
    operator.named("DatabaseRole")["metadata"]["generation"] = 2
    with pytest.raises(Away, match=f"has not made the DatabaseRole {SLUG}"):
        databases.ensure(SLUG, PASSWORD)


def test_an_object_that_is_deleted_by_hand_takes_no_data_with_it(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    waited_for(databases, operator)
    assert operator.named("Database")["spec"]["databaseReclaimPolicy"] == "retain"
    assert operator.named("DatabaseRole")["spec"]["databaseRoleReclaimPolicy"] == "retain"


def test_a_purge_drops_the_database_before_the_role_and_may_be_repeated(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    waited_for(databases, operator)
    with pytest.raises(Away, match=f"has not dropped the Database {SLUG}"):
        databases.erase(SLUG)
    assert operator.named("Database")["spec"]["databaseReclaimPolicy"] == "delete"
    assert "deletionTimestamp" not in operator.named("DatabaseRole")["metadata"]
    operator.act()
    with pytest.raises(Away, match=f"has not dropped the DatabaseRole {SLUG}"):
        databases.erase(SLUG)
    assert operator.named("DatabaseRole")["spec"]["databaseRoleReclaimPolicy"] == "delete"
    operator.act()
    databases.erase(SLUG)
    assert operator.kinds() == ["Secret"], "Kubernetes deletes it with its owner"


def test_a_cluster_that_is_not_there_is_refused_with_the_value_that_names_another_one(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    operator.objects.clear()
    with pytest.raises(
        StepFailed, match=r"no Cluster databases/main of .*database\.cloudNativePG"
    ) as refused:
        databases.ensure(SLUG, PASSWORD)
    assert refused.value.final and operator.objects == {}


def test_the_version_of_the_server_is_what_the_cluster_runs(
    operator: Operator, databases: CloudNativePGDatabases
) -> None:
    assert databases.server_version() == 17
    operator.objects[f"{OBJECTS}/clusters/main"] = {}
    with pytest.raises(Away, match="does not run yet"):
        databases.server_version()


def test_a_deployment_connects_to_the_service_of_the_primary(databases: CloudNativePGDatabases) -> None:
    url = databases.url(SLUG, PASSWORD)
    assert (url.host, url.username, url.database) == ("main-rw.databases.svc", SLUG, SLUG)


@pytest.fixture(scope="module")
def database(server: postgresql.PostgreSQL) -> URL:
    return make_url(server.new_database())


@pytest.mark.postgresql
def test_a_deployments_role_opens_its_own_database_and_no_other_and_a_purge_leaves_neither(
    database: URL,
) -> None:
    operator = Operator(server=database)
    databases = OnLoopback(api_of(operator), database)
    for slug in ("d1", "d2"):
        made(databases, operator, slug)
        databases.ensure(slug, PASSWORD)
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(host=database.host, port=database.port, user="d1", password=PASSWORD, dbname="d2")
    for slug in ("d1", "d2"):
        for _ in range(2):
            with pytest.raises(Away):
                databases.erase(slug)
            operator.act()
        databases.erase(slug)
    with create_engine(database).connect() as db:
        left = "SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database"
        assert not {"d1", "d2"} & set(db.scalars(text(left)))


@pytest.mark.postgresql
def test_a_database_that_is_replaced_is_empty_and_still_closed_to_others_and_its_sessions_have_ended(
    database: URL,
) -> None:
    operator = Operator(server=database)
    databases = OnLoopback(api_of(operator), database)
    for slug in ("d3", "d4"):
        made(databases, operator, slug)
    held = psycopg2.connect(host=database.host, port=database.port, user="d3", password=PASSWORD, dbname="d3")
    with held.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE dag_run (id serial PRIMARY KEY); CREATE TYPE state AS ENUM ('x'); CREATE SCHEMA more"
        )
        cursor.execute("CREATE VIEW runs AS SELECT * FROM dag_run; COMMIT; SELECT * FROM dag_run")
    for _ in range(2):
        databases.replace("d3", PASSWORD)
    with pytest.raises(psycopg2.OperationalError), held.cursor() as cursor:
        cursor.execute("SELECT 1")
    with databases.opened("d3", PASSWORD) as db:
        assert db.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all() == []
        assert db.scalar(text("SELECT count(*) FROM pg_namespace WHERE nspname = 'more'")) == 0
        db.execute(text("CREATE TABLE dag_run (id int)"))
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(host=database.host, port=database.port, user="d4", password=PASSWORD, dbname="d3")


def waited_for(databases: CloudNativePGDatabases, operator: Operator, slug: str = SLUG) -> None:
    """The operator does all that it is asked for; that there is a server behind it is not needed by then."""
    for _ in ("the role", "its Secret", "the database"):
        with pytest.raises(Away):
            databases.ensure(slug, PASSWORD)
        operator.act()


def made(databases: OnLoopback, operator: Operator, slug: str) -> None:
    waited_for(databases, operator, slug)
    databases.ensure(slug, PASSWORD)


def settings(**more: Any) -> KubernetesSettings:
    image = {"repository": "registry.example.com/plane", "tag": "7"}
    common = {"image": image, "own_namespace": "tradewind", "platform_url": "https://platform.example.com"}
    return KubernetesSettings.model_validate({**common, **more})


def test_pods_may_connect_to_the_pods_of_that_cluster_and_to_no_address() -> None:
    made = settings(cloud_native_pg=PLACE.model_dump(), network={"database_cidrs": ["10.0.0.0/8"]})
    assert manifests.databases(made) == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "databases"}},
            "podSelector": {"matchLabels": {"cnpg.io/cluster": "main"}},
        }
    ]


@pytest.mark.parametrize(
    "named",
    [{}, {"database_url_file": "/etc/url", "cloud_native_pg": PLACE.model_dump()}],
    ids=["none", "both"],
)
def test_deployments_have_one_postgresql(named: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one of database_url_file and cloud_native_pg"):
        settings(**named)
