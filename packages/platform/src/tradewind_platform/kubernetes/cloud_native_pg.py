"""Roles and databases of Deployments that CloudNativePG makes: a DatabaseRole and a Database in the namespace of its Cluster.

No connection has more rights than a Deployment's own role: what needs a superuser is asked of the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import URL, Connection

from tradewind_platform.drivers.away import Away
from tradewind_platform.drivers.deployment_databases import connected
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.settings import CloudNativePG
from tradewind_platform.reconciler.driver import StepFailed

Json = dict[str, Any]

_VERSION: Final = "postgresql.cnpg.io/v1"
_PORT: Final = 5432
_DROPPED: Final = {
    "DatabaseRole": {"databaseRoleReclaimPolicy": "delete"},
    "Database": {"databaseReclaimPolicy": "delete"},
}


class CloudNativePGDatabases:
    """As the Protocol DeploymentDatabases says.

    An object that is deleted by hand takes no data with it: the reclaim policy is `retain` until a Deployment is purged.
    """

    def __init__(self, api: KubernetesApi, place: CloudNativePG) -> None:
        self._api = api
        self._place = place

    def ensure(self, slug: str, password: str) -> None:
        """Make role and database, or what of them is missing. Raises Away until the operator has made them, and StepFailed."""
        namespace = self._place.namespace
        self._cluster()
        role = self._api.apply(database_role(slug, self._place), namespace)
        # Once PostgreSQL has missed the Secret, the operator has given it the right to read it, and wakes it up when it is made.
        # A Secret that is there too early is refused to it, and it looks again half a minute later.
        if "status" in role:
            self._api.create(password_of(slug, password, role), namespace)
        self._must_be_applied(role)
        self._must_be_applied(self._api.apply(database(slug, self._place), namespace))
        with self.opened(slug, password) as connection:
            connection.execute(text(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{slug}" FROM PUBLIC'))

    def erase(self, slug: str) -> None:
        """The end of database and role. Raises Away until the operator has dropped them, and StepFailed."""
        for kind in ("Database", "DatabaseRole"):  # a role that owns a database is not dropped
            if not self._api.change(kind, slug, self._place.namespace, {"spec": _DROPPED[kind]}):
                continue
            self._api.delete(kind, slug, self._place.namespace)
            if (left := self._api.get(kind, slug, self._place.namespace)) is not None:
                raise Away(self._waits(left, "dropped"))

    def replace(self, slug: str, password: str) -> None:
        """Nothing is left in the database, which stays as the operator made it. Raises StepFailed."""
        with self.opened(slug, password) as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = current_user AND pid <> pg_backend_pid()"
                )
            )
            connection.execute(text("DROP OWNED BY CURRENT_USER CASCADE"))

    def url(self, slug: str, password: str) -> URL:
        """What the Deployment connects to: the Service of the primary."""
        host = f"{self._place.cluster}-rw.{self._place.namespace}.svc"
        return URL.create("postgresql+psycopg2", slug, password, host, _PORT, slug)

    def server_version(self) -> int:
        """The major version that the Cluster runs. Raises StepFailed."""
        image: Mapping[str, Any] = self._cluster().get("status", {}).get("pgDataImageInfo", {})
        if "majorVersion" not in image:
            raise Away(f"the Cluster {self._named} of CloudNativePG does not run yet")
        return int(image["majorVersion"])

    def opened(self, slug: str, password: str) -> AbstractContextManager[Connection]:
        """As the Protocol says."""
        return connected(self.url(slug, password))

    # ---- parts

    @property
    def _named(self) -> str:
        return f"{self._place.namespace}/{self._place.cluster}"

    def _cluster(self) -> Json:
        """Raises StepFailed when there is none."""
        found = self._api.get("Cluster", self._place.cluster, self._place.namespace)
        if found is None:
            raise StepFailed(
                f"there is no Cluster {self._named} of CloudNativePG: make it, or name another one in "
                "`database.cloudNativePG` of the controller's chart",
                final=True,
            )
        return found

    def _must_be_applied(self, one: Json) -> None:
        """Raises Away while the operator has not applied this generation of the object."""
        status = one.get("status", {})
        if not (status.get("applied") and status.get("observedGeneration") == one["metadata"]["generation"]):
            raise Away(self._waits(one, "made"))

    def _waits(self, one: Json, what: str) -> str:
        """Why a step goes on waiting, and where to look."""
        kind, name = one["kind"], one["metadata"]["name"]
        message = one.get("status", {}).get("message") or "it says nothing of it yet"
        look = f"kubectl --namespace {self._place.namespace} describe {kind.lower()} {name}"
        return f"CloudNativePG has not {what} the {kind} {name}: {message} ({look})"


def database_role(slug: str, place: CloudNativePG) -> Json:
    """A role that may sign in, and nothing more."""
    spec = {
        "name": slug,
        "login": True,
        "passwordSecret": {"name": _secret(slug)},
        "databaseRoleReclaimPolicy": "retain",
    }
    return _object("DatabaseRole", slug, place, spec)


def database(slug: str, place: CloudNativePG) -> Json:
    """A database that belongs to the role of the same name."""
    spec = {"name": slug, "owner": slug, "databaseReclaimPolicy": "retain"}
    return _object("Database", slug, place, spec)


def password_of(slug: str, password: str, role: Json) -> Json:
    """The Secret with the password of a role. It goes with the role's object, so that the controller needs no right to read or
    delete a Secret there."""
    owner = {"apiVersion": _VERSION, "kind": role["kind"], "name": slug, "uid": role["metadata"]["uid"]}
    labels = {**_labels(slug), "cnpg.io/reload": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _secret(slug), "labels": labels, "ownerReferences": [owner]},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": slug, "password": password},
    }


def _object(kind: str, slug: str, place: CloudNativePG, spec: Json) -> Json:
    return {
        "apiVersion": _VERSION,
        "kind": kind,
        "metadata": {"name": slug, "labels": _labels(slug)},
        "spec": {"cluster": {"name": place.cluster}, **spec},
    }


def _secret(slug: str) -> str:
    return f"{slug}-password"


def _labels(slug: str) -> dict[str, str]:
    return {manifests.LABEL: slug, "app.kubernetes.io/managed-by": manifests.MANAGER}
