"""Jobs in the namespace of a Deployment with the image and the environment of its pods, which the driver watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tradewind_platform.clock import Clock
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.helm import Helm, Release
from tradewind_platform.reconciler.driver import StepFailed, StepWaits

_COMPONENT: Final = "app.kubernetes.io/component=migration"


@dataclass(frozen=True)
class Jobs:
    """Made by the template that the chart has for its migration. A Job's name has a hash of its pod, so that the same one is
    found again. `seconds`: how long one may take, from when it was made."""

    api: KubernetesApi
    helm: Helm
    clock: Clock
    seconds: float
    _last_lines: dict[str, str] = field(default_factory=dict)
    """The last lines of each Job that runs: Kubernetes deletes the pod of one that has failed."""

    def run(self, release: Release, values: Mapping[str, Any], *, what: str) -> str:
        """The name of the Job that has completed. Raises StepWaits while it runs, StepFailed with its last lines."""
        name, yaml = self.helm.migration(release, values)
        job = self.api.get("Job", name, release.namespace)
        if job is None:
            job = self.api.apply_text(f"/apis/batch/v1/namespaces/{release.namespace}/jobs/{name}", yaml)
        ended = {
            one["type"] for one in job.get("status", {}).get("conditions", []) if one["status"] == "True"
        }
        if "Complete" in ended:
            self._last_lines.pop(name, None)
            return name
        pods = self._pods(name, release)
        printed = self.printed(name, release) or self._last_lines.get(name, "")
        if "Failed" in ended:
            self._last_lines.pop(name, None)
            self.api.delete("Job", name, release.namespace)
            raise StepFailed(
                f"{what} failed: {' | '.join(printed.splitlines())[-1000:] or 'its log is empty'}"
            )
        self._last_lines[name] = printed
        trouble = _trouble(pods)
        if self._age(job) > self.seconds:
            self.api.delete("Job", name, release.namespace)
            raise StepFailed(f"{what} has not ended in {self.seconds:g} s{trouble}", final=True)
        raise StepWaits(f"{what} {name} runs{trouble}", again=2.0)

    def printed(self, name: str, release: Release, *, lines: int = 5) -> str:
        """The last lines of a Job's pod; empty when it is gone."""
        pods = self._pods(name, release)
        return self.api.log(pods[-1]["metadata"]["name"], release.namespace, lines=lines) if pods else ""

    def delete(self, name: str, release: Release) -> None:
        self.api.delete("Job", name, release.namespace)

    def _pods(self, name: str, release: Release) -> list[dict[str, Any]]:
        return self.api.listed("Pod", release.namespace, f"job-name={name}")

    def _age(self, job: Mapping[str, Any]) -> float:
        made = str(job["metadata"]["creationTimestamp"]).replace("Z", "+00:00")
        return (self.clock() - datetime.fromisoformat(made)).total_seconds()


def forget(api: KubernetesApi, release: Release) -> None:
    """No Job says any more that the database is migrated: it is about to be another one, or nothing may run."""
    for job in api.listed(
        "Job", release.namespace, f"{_COMPONENT},app.kubernetes.io/instance={release.name}"
    ):
        api.delete("Job", job["metadata"]["name"], release.namespace)


def _trouble(pods: Sequence[Mapping[str, Any]]) -> str:
    """Why its pod does not start, where that is known."""
    for pod in pods:
        for one in pod.get("status", {}).get("containerStatuses", []):
            waiting = one.get("state", {}).get("waiting", {})
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return f": {waiting['reason']} {waiting.get('message', '')}".rstrip()
        for condition in pod.get("status", {}).get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f": {condition.get('message', 'its pod is not scheduled')}"
    return ""
