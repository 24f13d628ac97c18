"""What is wrong with a pod as a whole: no node takes it, something ends it, it does not end, it is not ready."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tradewind_agent.sentinel.objects import (
    Object,
    condition_of,
    count,
    first_of,
    last_seen,
    made_at,
    message_of,
    moment,
)
from tradewind_agent.sentinel.problems import Problem
from tradewind_agent.sentinel.problems.containers import RECENT

PENDING_FOR: Final = timedelta(seconds=15)
"""How long a pod may be unscheduled before that is a problem: a scheduler needs a moment."""
NOT_READY_FOR: Final = timedelta(minutes=3)
ENDING_FOR: Final = timedelta(seconds=60)
PROBED_WITHIN: Final = timedelta(minutes=5)
"""How old a failed probe may be to explain that a pod is not ready."""

_UNSCHEDULED: Final[tuple[tuple[str, str], ...]] = (
    (r"Insufficient [\w./-]+|Too many pods", "Lower the requests (resources.requests), or add nodes"),
    (r"taint", "Add the toleration that the nodes ask for (tolerations)"),
    (r"affinity|selector", "Correct nodeSelector or affinity, or label nodes accordingly"),
    (
        r"volume|PersistentVolumeClaim|claim",
        "See why the volume claim is not bound: storage class, zone, size",
    ),
)
"""Of the scheduler's sentence: pattern and remedy. The first that matches counts."""
_DISRUPTIONS: Final = {
    "PreemptionByScheduler": "a pod of higher priority took its place",
    "DeletionByTaintManager": "its node is not usable any more",
    "EvictionByEvictionAPI": "its node is drained",
    "DeletionByPodGC": "its node is gone",
}
_NOT_READY_REMEDY: Final = "The agent's own findings, or its log, say why it is not ready"


def unschedulable(pod: Object, now: datetime) -> Problem | None:
    """Of a pod that no node takes."""
    condition = condition_of(pod, "PodScheduled")
    if condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
        return None
    since = moment(condition.get("lastTransitionTime")) or made_at(pod)
    if now - since < PENDING_FOR:
        return None
    message = str(condition.get("message", ""))
    remedy = next(
        (advice for pattern, advice in _UNSCHEDULED if re.search(pattern, message)),
        "See the scheduler's sentence, and the pod's events",
    )
    return Problem(
        check="unschedulable", cause="no node takes the pod", evidence=message, remedy=remedy, since=since
    )


def ended_by_others(pod: Object, events: Sequence[Object], now: datetime) -> Problem | None:
    """Of a pod that is evicted, disrupted, or on a node that does not answer."""
    status = pod.get("status", {})
    disrupted = condition_of(pod, "DisruptionTarget")
    # An evicted pod whose container drained and exited with 0 may be a pod that succeeded: the event alone tells.
    evicted_at = first_of(events, "Evicted")
    by_kubelet = status.get("reason") == "Evicted" or disrupted.get("reason") == "TerminationByKubelet"
    if by_kubelet or evicted_at is not None:
        since = moment(disrupted.get("lastTransitionTime")) or evicted_at or made_at(pod)
        return _evicted(status, disrupted, events, since) if now - since <= RECENT else None
    if disrupted.get("status") == "True":
        why = _DISRUPTIONS.get(str(disrupted.get("reason")), "Kubernetes disrupts it")
        return Problem(
            check="disrupted",
            cause=f"the pod is being ended: {why}",
            evidence=str(disrupted.get("reason", "")),
            remedy="Nothing, where this was intended; else a priority class or a disruption budget",
            since=moment(disrupted.get("lastTransitionTime")) or now,
        )
    ready = condition_of(pod, "Ready")
    gone = first_of(events, "NodeNotReady")
    if gone is not None and ready.get("status") != "True":
        return Problem(
            check="node_lost",
            cause="the pod's node does not answer",
            evidence="NodeNotReady",
            remedy="Look at the node: its kubelet, its network, its machine",
            since=moment(ready.get("lastTransitionTime")) or gone,
        )
    return None


def does_not_end(pod: Object, now: datetime) -> Problem | None:
    """Of a pod that was deleted and whose grace is over."""
    due = moment(pod.get("metadata", {}).get("deletionTimestamp"))  # when its grace ends
    if due is None or now - due < ENDING_FOR:
        return None
    return Problem(
        check="ending",
        cause="the pod was deleted and does not end",
        evidence=f"its grace ended {_span(now - due)} ago",
        remedy="Look at its node, and at metadata.finalizers",
        since=due,
    )


def not_ready(pod: Object, events: Sequence[Object], now: datetime) -> Problem | None:
    """Of a pod that runs and is not ready: at once when a probe fails, else after a while."""
    if pod.get("metadata", {}).get("deletionTimestamp") or pod.get("status", {}).get("phase") != "Running":
        return None
    ready = condition_of(pod, "Ready")
    if ready.get("status") != "False":
        return None
    since = moment(ready.get("lastTransitionTime")) or made_at(pod)
    failing = [
        one for one in events if one.get("reason") == "Unhealthy" and last_seen(one) > now - PROBED_WITHIN
    ]
    if failing:
        return Problem(
            check="probe",
            cause="a probe of the container fails",
            evidence=str(failing[-1].get("message", "")),
            remedy=_NOT_READY_REMEDY,
            since=since,
            count=count(failing[-1]),
        )
    if now - since < NOT_READY_FOR:
        return None
    return Problem(
        check="not_ready",
        cause="the pod runs and is not ready",
        evidence=str(ready.get("reason", "")),
        remedy=_NOT_READY_REMEDY,
        since=since,
    )


def _evicted(status: Object, disrupted: Object, events: Sequence[Object], since: datetime) -> Problem:
    message = str(status.get("message", "")) or message_of(events, "Evicted")
    cause, remedy = _eviction(message)
    return Problem(
        check="evicted",
        cause=cause,
        evidence=message or str(status.get("reason") or disrupted.get("reason")),
        remedy=remedy,
        since=since,
    )


def _eviction(message: str) -> tuple[str, str]:
    """Cause and remedy, of a kubelet's sentence (pkg/kubelet/eviction)."""
    if re.search(r"exceeds the (total )?limit|exceeded its local ephemeral storage limit", message):
        return (
            "the pod used more disk than its limit allows, and was evicted",
            "Raise state.sizeLimit or limits.ephemeral-storage; see what fills the volume that the evidence names",
        )
    resource = re.search(r"low on resource: ([\w-]+)", message)
    return (
        f"the node was short of {resource.group(1) if resource else 'a resource'} and evicted the pod",
        "Set requests and limits to what the pod uses (ephemeral-storage, too), or give the node more",
    )


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
