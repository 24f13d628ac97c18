"""Which namespace a Deployment has: one of its own that the controller makes, or one of those that are there for it."""

from __future__ import annotations

from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document, StepFailed


class Namespaces:
    """A namespace is a Deployment's once its record is in it; the record is made by one of two that want it."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings) -> None:
        self._api = api
        self._settings = settings

    def claim(self, document: Document) -> str:
        """Make the namespace, or take a free one. Raises StepFailed for one that is another's, and where none is free."""
        if self._settings.namespaces:
            return self._taken(document)
        name = f"{self._settings.namespace_prefix}{document.slug}"
        if not self._api.create(manifests.namespace(document, name)):
            found = self._api.get("Namespace", name)
            if found is None or found["metadata"].get("labels", {}).get(manifests.LABEL) != document.slug:
                raise StepFailed(
                    f"there is a namespace {name} already, and it is not of this Deployment", final=True
                )
            if found.get("status", {}).get("phase") == "Terminating":
                raise StepFailed(f"the namespace {name} is being deleted")
        self._api.create(manifests.role_binding(document, self._settings), name)
        self._api.create(manifests.record(document, {}), name)
        return name

    def of(self, document: Document) -> str | None:
        """The namespace that it has; None when it has none."""
        names = self._settings.namespaces or (f"{self._settings.namespace_prefix}{document.slug}",)
        for name in names:
            if self._settings.namespaces or self._api.get("Namespace", name) is not None:
                found = self._api.get("ConfigMap", manifests.RECORD, name)
                if found is not None and found["data"]["slug"] == document.slug:
                    return name
        return None

    def require(self, document: Document) -> str:
        """Raises StepFailed when it has none."""
        if (name := self.of(document)) is None:
            raise StepFailed(f"the Deployment {document.slug} has no namespace")
        return name

    def leave(self, document: Document, name: str) -> None:
        """Delete a namespace that was made for it; empty one that was there before."""
        if not self._settings.namespaces:
            self._api.delete("Namespace", name)
            return
        for one in manifests.beside(document, self._settings, "-"):
            self._api.delete(one["kind"], one["metadata"]["name"], name)
        for record in (manifests.CORDONED, manifests.RECORD):
            self._api.delete("ConfigMap", record, name)

    def _taken(self, document: Document) -> str:
        if (name := self.of(document)) is not None:
            return name
        for name in self._settings.namespaces:
            if self._api.create(manifests.record(document, {}), name):
                return name
        raise StepFailed(
            f"all {len(self._settings.namespaces)} namespaces for Deployments are taken; make another one and name it in "
            "`namespaces` of the controller's chart"
        )
