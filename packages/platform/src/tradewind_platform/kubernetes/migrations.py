"""Migrates the database of a Deployment by a Job, which the driver watches."""

from __future__ import annotations

from typing import Any

from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.helm import Helm, Release
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits


def migrate(
    api: KubernetesApi, helm: Helm, settings: KubernetesSettings, document: Document, release: Release
) -> None:
    """The database is of the version of the image. Raises StepWaits while the Job runs, StepFailed with its last lines."""
    name, yaml = helm.migration(release, values(document, settings))
    job = api.get("Job", name, release.namespace)
    if job is None:
        job = api.apply_text(f"/apis/batch/v1/namespaces/{release.namespace}/jobs/{name}", yaml)
    ended = {one["type"] for one in job.get("status", {}).get("conditions", []) if one["status"] == "True"}
    if "Complete" in ended:
        return
    pods = api.listed("Pod", release.namespace, f"job-name={name}")
    if "Failed" in ended:
        said = " | ".join(api.log(one["metadata"]["name"], release.namespace) for one in pods[-1:])
        api.delete("Job", name, release.namespace)
        raise StepFailed(f"the migration Job failed: {said[-1000:] or 'its log is empty'}")
    raise StepWaits(f"the migration Job {name} runs{_trouble(pods)}", again=2.0)


def _trouble(pods: list[dict[str, Any]]) -> str:
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
