"""A Deployment as a release of the plane's chart in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from tradewind.gateway.settings import Closed
from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.health import ESSENTIAL, Condition, ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers import clean_up, steps
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.drivers.away import Away
from tradewind_platform.drivers.before import before
from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.drivers.hibernation import Hibernation
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.backups import ClusterBackups
from tradewind_platform.kubernetes.clean_up import CleanUp
from tradewind_platform.kubernetes.code import Code
from tradewind_platform.kubernetes.gateway import Gateway
from tradewind_platform.kubernetes.helm import Helm
from tradewind_platform.kubernetes.jobs import Jobs
from tradewind_platform.kubernetes.migrations import migrate
from tradewind_platform.kubernetes.namespaces import Namespaces
from tradewind_platform.kubernetes.observing import Observing, inside
from tradewind_platform.kubernetes.patience import Patience
from tradewind_platform.kubernetes.preflight import Preflight
from tradewind_platform.kubernetes.record import CordonedAgents, Records
from tradewind_platform.kubernetes.releases import Releases
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.upgrades import Upgrades
from tradewind_platform.kubernetes.values import Running
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits

_RUNNING: Final = ("namespace", "database", "configure", "migrate", "start", "route", "probe")
_STEPS: Final[Mapping[Kind, Sequence[str]]] = {
    **steps.STEPS,
    Kind.CREATE: _RUNNING,
    Kind.UPDATE: _RUNNING,
    Kind.RESTORE: (*_RUNNING, "uncordon"),  # one that was deleted asleep has agents that are cordoned
    Kind.DELETE: ("unroute", "uninstall"),
    Kind.PURGE: ("unroute", "uninstall", "erase"),
    # The image of the cluster may be another one than when it fell asleep. A Job that has migrated is not run again.
    Kind.WAKE: ("configure", "migrate", *steps.SERVING, "uncordon"),
    # What serves afterwards is the new image: pods of the present one would answer the probe for it.
    Kind.DEPLOY: ("check code", "close for upgrade", "stop", "configure", *steps.SERVING),
    Kind.ROLLBACK: (
        "count",
        "close for upgrade",
        "stop",
        "restore backup",
        "configure",
        "migrate",  # nothing, unless the version has another image than when the backup was made
        "fence",
        *steps.SERVING,
    ),
}
_AWAKE: Final[Mapping[str, Sequence[str]]] = {
    "cordon": ("uncordon",),
    "wait for tasks": ("uncordon",),
    "close": ("route", "uncordon"),
    "stop": (*steps.SERVING, "uncordon"),
}
"""How a hibernation is undone that failed at a step: a scheduler that was not stopped is left alone."""
_FORMER: Final[Mapping[str, str]] = {"install": "start", "install before": "start before"}
"""Steps by the names that they had: an operation that was begun before the controller was upgraded goes on with those."""

Step = Callable[[Document], Mapping[str, Any] | None]


class KubernetesDriver:
    """One cluster. Deleting a Deployment uninstalls its release; its namespace, keys and database stay until it is purged.

    What Kubernetes keeps by itself, it keeps: pods that end are its own to start again.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        api: KubernetesApi,
        helm: Helm,
        databases: DeploymentDatabases,
        http: httpx.Client,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._api = api
        self._databases = databases
        self._namespaces = Namespaces(api, settings)
        self._records = Records(api)
        self._patience = Patience(settings.probe_seconds)
        self._gateway = Gateway(api, settings, http, clock)
        self._observing = Observing(api, settings, self._records, self._gateway, http)
        self._backups = ClusterBackups(settings.backups, databases)
        self._jobs = Jobs(api, helm, clock, settings.migration_seconds)
        releases = self._releases = Releases(
            api, helm, settings, self._namespaces, self._records, self._patience
        )
        airflow = AirflowApi(http, lambda document: inside(document, self._namespaces.require(document)))
        hibernation = Hibernation(airflow, CordonedAgents(api, self._namespaces), clock)
        # A pod of an image that cannot be pulled shall not be waited for as long as a migration may take.
        looked = Jobs(api, helm, clock, min(settings.probe_seconds, settings.migration_seconds))
        preflight = Preflight(settings, airflow, self._backups, looked)
        cleans = CleanUp(settings, Jobs(api, helm, clock, clean_up.LONGEST))
        upgrades = Upgrades(api, databases, releases, self._backups, self._observing, self._patience)
        self._apply: Mapping[str, Step] = {
            **self._steps_of_running(),
            **self._steps_of_hibernation(hibernation),
            **self._steps_of_upgrades(upgrades, preflight, Code(settings, looked)),
            "clean up": lambda document: cleans.clean(document, releases.of(document)),
        }

    def _steps_of_running(self) -> Mapping[str, Step]:
        jobs, settings, releases = self._jobs, self._settings, self._releases
        return {
            "namespace": self._claim,
            "database": self._patient("database", self._make_database),
            "configure": self._configure,
            "migrate": lambda document: migrate(jobs, settings, document, releases.of(document)),
            "start": self._running(Running.ALL),
            "route": self._route,
            "probe": self._probe,
            "unroute": lambda document: self._gateway.leave(document, self._namespaces.of(document)),
            "uninstall": releases.uninstall,
            "erase": self._patient("erase", self._erase),
        }

    def _steps_of_hibernation(self, hibernation: Hibernation) -> Mapping[str, Step]:
        return {
            "cordon": self._patient("cordon", hibernation.cordon),
            "wait for tasks": self._patient("wait for tasks", hibernation.wait_for_tasks),
            "close": self._closed(Closed.HIBERNATING),
            "uncordon": self._patient("uncordon", hibernation.uncordon),
        }

    def _steps_of_upgrades(self, upgrades: Upgrades, preflight: Preflight, code: Code) -> Mapping[str, Step]:
        """Of backups, deploys and roll-backs, too."""
        releases = self._releases
        return {
            "check code": lambda document: code.check(document, releases.of(document)),
            "look": self._patient("look", lambda one: preflight.table(one, releases.of(one))),
            "preflight": self._patient("preflight", lambda one: preflight.require(one, releases.of(one))),
            "close for upgrade": self._closed(Closed.UPGRADING),
            "stop": upgrades.stop,
            "back up": self._patient("back up", self._backups.make),
            "forget old backups": self._backups.forget_old,
            "start API server": self._running(Running.API_SERVER),
            "probe inside": upgrades.probe_inside,
            "restore before": self._patient("restore before", upgrades.restore),
            "configure before": before(self._configure),
            "start API server before": before(self._running(Running.API_SERVER)),
            "start before": before(self._running(Running.ALL)),
            "count": upgrades.count_what_is_forgotten,
            "restore backup": self._patient("restore backup", upgrades.restore),
            "fence": self._patient("fence", upgrades.fence),
        }

    def steps(self, kind: Kind) -> Sequence[str]:
        return _STEPS[kind]

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        if kind is Kind.HIBERNATE:
            return _AWAKE.get(failed, ())
        return steps.undone(kind, failed)

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        return self._apply[_FORMER.get(step, step)](document)

    def keep(self, document: Document) -> None:
        """Nothing: Kubernetes starts again what ends."""

    def observe(self, document: Document) -> Sequence[Condition]:
        try:
            return self._observing.conditions(document, self._namespaces.of(document))
        except StepFailed as error:
            return [
                Condition(type, Status.UNKNOWN, "", str(error), observed_revision=document.revision)
                for type in ConditionType
                if type in ESSENTIAL or type is ConditionType.CONFIG_APPLIED
            ]

    def prepare(self) -> None:
        """Once, when the controller starts. Raises StepFailed."""
        self._gateway.prepare()

    def facts(self) -> Mapping[str, str]:
        """Of the cluster, for people."""
        try:
            version = self._api.version()
        except StepFailed as error:
            version = str(error)
        made = self._settings.cloud_native_pg
        databases = (
            "PostgreSQL by a URL" if made is None else f"CloudNativePG {made.namespace}/{made.cluster}"
        )
        return {"Kubernetes": version, "gateway": self._settings.gateway.kind, "databases": databases}

    # ---- steps

    def _claim(self, document: Document) -> None:
        self._namespaces.claim(document)

    def _make_database(self, document: Document) -> None:
        self._databases.ensure(document.slug, document.secrets["database_password"])

    def _configure(self, document: Document) -> None:
        namespace = self._namespaces.require(document)
        url = self._databases.url(document.slug, document.secrets["database_password"])
        connection = url.render_as_string(hide_password=False)
        for one in manifests.beside(document, self._settings, connection):
            self._api.apply(one, namespace)

    def _patient(self, name: str, step: Step) -> Step:
        """What does not answer is waited for: Kubernetes starts another pod for one that was evicted, and a PostgreSQL takes
        over from another one. A step that failed meanwhile would be undone by steps that fail as well."""

        def apply(document: Document) -> Mapping[str, Any] | None:
            try:
                found = step(document)
            except Away as error:
                self._patience.wait(document, name, str(error))
            except StepWaits:
                self._patience.end(document, name)
                raise
            self._patience.end(document, name)
            return found

        return apply

    def _running(self, running: Running) -> Callable[[Document], None]:
        return lambda document: self._releases.run(document, running)

    def _route(self, document: Document) -> None:
        namespace = self._namespaces.require(document)
        self._gateway.serve(document, namespace)
        self._records.change(document, namespace, closed="")

    def _closed(self, reason: Closed) -> Callable[[Document], None]:
        """No agent's request reaches the Deployment afterwards: the gateways have been asked."""

        def close(document: Document) -> None:
            namespace = self._namespaces.require(document)
            self._gateway.close(document, namespace, reason.value)
            self._records.change(document, namespace, closed=reason.value)
            if passing := self._gateway.passes(document, reason.value):
                why = f"the gateway at {passing} does not say yet that the Deployment is closed"
                self._patience.wait(document, "close", why)
            self._patience.end(document, "close")

        return close

    def _probe(self, document: Document) -> None:
        """Through the Service and through the gateway, as people and agents come."""
        if wrong := [one for one in self.observe(document) if one.status is not Status.TRUE]:
            why = " ".join(dict.fromkeys(one.message for one in wrong))
            self._patience.wait(document, "probe", why, final=False)
        self._patience.end(document, "probe")

    def _erase(self, document: Document) -> None:
        self._databases.erase(document.slug)
        self._backups.forget(document)
        if (namespace := self._namespaces.of(document)) is not None:
            self._namespaces.leave(document, namespace)
