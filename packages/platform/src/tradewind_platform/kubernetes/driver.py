"""A Deployment as a release of the plane's chart in a namespace of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.kubernetes import manifests, migrations
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.gateway import Gateway
from tradewind_platform.kubernetes.helm import Helm, Release
from tradewind_platform.kubernetes.namespaces import Namespaces
from tradewind_platform.kubernetes.observing import APPLIED, Observing, newest_revision
from tradewind_platform.kubernetes.recovery import Act, recovery
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits

_RUNNING: Final = ("namespace", "database", "configure", "migrate", "install", "route", "probe")
_STEPS: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.CREATE: _RUNNING,
    Kind.UPDATE: _RUNNING,
    Kind.RESTORE: _RUNNING,
    Kind.DELETE: ("unroute", "uninstall"),
    Kind.PURGE: ("unroute", "uninstall", "erase"),
}


class KubernetesDriver:
    """One cluster. Deleting a Deployment uninstalls its release; its namespace, keys and database stay until it is purged.

    What Kubernetes keeps by itself, it keeps: pods that end are its own to start again.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        api: KubernetesApi,
        helm: Helm,
        databases: Databases,
        http: httpx.Client,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._api = api
        self._helm = helm
        self._databases = databases
        self._namespaces = Namespaces(api, settings)
        self._gateway = Gateway(api, settings, clock)
        self._observing = Observing(api, settings, http)
        self._probed_since: dict[str, float] = {}
        self._apply: Mapping[str, Callable[[Document], None]] = {
            "namespace": self._claim,
            "database": lambda document: databases.ensure(
                document.slug, document.secrets["database_password"]
            ),
            "configure": self._configure,
            "migrate": self._migrate,
            "install": self._install,
            "route": lambda document: self._gateway.serve(document, self._namespaces.must(document)),
            "probe": self._probe,
            "unroute": lambda document: self._gateway.leave(document, self._namespaces.of(document)),
            "uninstall": self._uninstall,
            "erase": self._erase,
        }

    def steps(self, kind: Kind) -> Sequence[str]:
        return _STEPS[kind]

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        return ()

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        self._apply[step](document)
        return None

    def keep(self, document: Document) -> None:
        """Nothing: Kubernetes starts again what ends."""

    def observe(self, document: Document) -> Sequence[Condition]:
        try:
            return self._observing.conditions(document, self._namespaces.of(document))
        except StepFailed as error:
            return [
                Condition(type, Status.UNKNOWN, "", str(error), observed_revision=document.revision)
                for type in ConditionType
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
        return {"Kubernetes": version, "gateway": self._settings.gateway.kind}

    # ---- steps

    def _claim(self, document: Document) -> None:
        self._namespaces.claim(document)

    def _configure(self, document: Document) -> None:
        namespace = self._namespaces.must(document)
        url = self._databases.url(document.slug, document.secrets["database_password"])
        connection = url.render_as_string(hide_password=False)
        for one in manifests.beside(document, self._settings, connection):
            self._api.apply(one, namespace)

    def _migrate(self, document: Document) -> None:
        migrations.migrate(self._api, self._helm, self._settings, document, self._release(document))

    def _install(self, document: Document) -> None:
        """Whatever a Helm that was killed has left is recovered first."""
        release = self._release(document)
        self._recover(release)
        self._helm.upgrade(release, values(document, self._settings))
        self._remember_release(document, release)

    def _probe(self, document: Document) -> None:
        """Through the Service and through the gateway, as people and agents come."""
        since = self._probed_since.setdefault(document.slug, time.monotonic())
        wrong = [one for one in self.observe(document) if one.status is not Status.TRUE]
        if not wrong:
            del self._probed_since[document.slug]
            return
        why = " ".join(dict.fromkeys(one.message for one in wrong))
        if time.monotonic() - since > self._settings.probe_seconds:
            del self._probed_since[document.slug]
            raise StepFailed(why)
        raise StepWaits(why, again=2.0)

    def _uninstall(self, document: Document) -> None:
        if (namespace := self._namespaces.of(document)) is not None:
            self._helm.uninstall(Release(document.slug, namespace))
            self._remember_release(document, Release(document.slug, namespace))

    def _erase(self, document: Document) -> None:
        self._databases.erase(document.slug)
        if (namespace := self._namespaces.of(document)) is not None:
            self._namespaces.leave(document, namespace)

    # ---- parts

    def _release(self, document: Document) -> Release:
        return Release(document.slug, self._namespaces.must(document))

    def _recover(self, release: Release) -> None:
        decided = recovery(self._helm.history(release))
        if decided.act is Act.FORGET:
            self._api.delete(
                "Secret", f"sh.helm.release.v1.{release.name}.v{decided.revision}", release.namespace
            )
            decided = recovery(self._helm.history(release))
        self._helm.recover(release, decided)

    def _remember_release(self, document: Document, release: Release) -> None:
        applied = newest_revision(self._api, release.namespace, release.name)
        self._api.apply(manifests.record(document, {APPLIED: str(applied)}), release.namespace)
