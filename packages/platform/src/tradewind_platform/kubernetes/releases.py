"""The release of a Deployment: which pods it has, and what a Helm that was killed has left of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradewind_platform.kubernetes import record
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.helm import Helm, Release
from tradewind_platform.kubernetes.namespaces import Namespaces
from tradewind_platform.kubernetes.patience import Patience
from tradewind_platform.kubernetes.record import Records
from tradewind_platform.kubernetes.recovery import Act, recovery
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import Running, values
from tradewind_platform.reconciler.driver import Document

_ENDED: Final = ("Succeeded", "Failed")


class Releases:
    """Each change is a revision of Helm's, and is remembered as the platform's."""

    def __init__(
        self,
        api: KubernetesApi,
        helm: Helm,
        settings: KubernetesSettings,
        namespaces: Namespaces,
        records: Records,
        patience: Patience,
    ) -> None:
        self._api = api
        self._helm = helm
        self._settings = settings
        self._namespaces = namespaces
        self._records = records
        self._patience = patience

    def of(self, document: Document) -> Release:
        return Release(document.slug, self._namespaces.require(document))

    def run(self, document: Document, running: Running) -> None:
        """The release is as the document says, with these pods. Whatever a Helm that was killed has left is recovered
        first."""
        release = self.of(document)
        self._recover(release)
        self._helm.upgrade(release, values(document, self._settings, running))
        self._remember(document, release, running)

    def stop(self, document: Document) -> None:
        """It has no pods, by the values of the chart. Raises StepWaits until the last one is gone."""
        release = self.of(document)
        if not self._is_stopped(release):
            self.run(document, Running.NONE)
        if left := self._pods(release):
            self._patience.wait(document, "stop", f"waits for the end of {', '.join(left[:3])}")
        self._patience.end(document, "stop")

    def uninstall(self, document: Document) -> None:
        """Nothing for a release that is not there."""
        if (namespace := self._namespaces.of(document)) is not None:
            release = Release(document.slug, namespace)
            self._helm.uninstall(release)
            self._remember(document, release, Running.NONE)

    def _pods(self, release: Release) -> list[str]:
        found = self._api.listed("Pod", release.namespace, f"app.kubernetes.io/instance={release.name}")
        return sorted(
            one["metadata"]["name"] for one in found if one.get("status", {}).get("phase") not in _ENDED
        )

    def _is_stopped(self, release: Release) -> bool:
        """Whether the newest revision is the one that was asked to have no pods, and Helm has ended it."""
        known = self._records.of(release.namespace)
        newest = _newest(self._api, release.namespace, release.name)
        return (
            known.get(record.RUNNING) == Running.NONE.value
            and newest.get("version", "0") == known.get(record.APPLIED)
            and newest.get("status") == "deployed"
        )

    def _recover(self, release: Release) -> None:
        decided = recovery(self._helm.history(release))
        if decided.act is Act.FORGET:
            self._api.delete(
                "Secret", f"sh.helm.release.v1.{release.name}.v{decided.revision}", release.namespace
            )
            decided = recovery(self._helm.history(release))
        self._helm.recover(release, decided)

    def _remember(self, document: Document, release: Release, running: Running) -> None:
        applied = newest_revision(self._api, release.namespace, release.name)
        self._records.change(document, release.namespace, helm_revision=str(applied), running=running.value)


def newest_revision(api: KubernetesApi, namespace: str, release: str) -> int:
    """Of a release; 0 when there is none."""
    return int(_newest(api, namespace, release).get("version", "0"))


def _newest(api: KubernetesApi, namespace: str, release: str) -> Mapping[str, str]:
    """The labels of the newest of Helm's Secrets: what these contain is not asked for."""
    found = api.metadata("Secret", namespace, f"owner=helm,name={release}")
    labels: list[Mapping[str, str]] = [one["metadata"]["labels"] for one in found]
    return max(labels, key=lambda one: int(one["version"]), default={})
