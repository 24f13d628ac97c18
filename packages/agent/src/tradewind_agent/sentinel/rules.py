"""What a pod's status and its events say is wrong: pure functions of API objects and the time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradewind_agent.monitoring.masking import shortened_credentials
from tradewind_agent.sentinel.objects import (
    Object,
    condition_of,
    container_statuses,
    count,
    first_of,
    first_seen,
    images,
    last_seen,
    made_at,
    memory_limit,
    message_of,
    moment,
    name_of,
    nodes,
    repository,
    scheduled_at,
    was_out_of_memory,
)
from tradewind_protocol.sentinel import SentinelFinding, WatchedAgent

PENDING_FOR: Final = timedelta(seconds=15)
"""How long a pod may be unscheduled before that is a finding: a scheduler needs a moment."""
CREATING_FOR: Final = timedelta(seconds=90)
NOT_READY_FOR: Final = timedelta(minutes=3)
ENDING_FOR: Final = timedelta(seconds=60)
RECENT: Final = timedelta(hours=1)
"""How long an out-of-memory kill, an eviction or a restart is shown after it happened."""

EXIT_STATUS: Final[dict[int, tuple[str, str]]] = {
    3: (
        "the plane refuses this agent for good",
        "Read the last lines of the agent's log: the token, the Deployment or the version is wrong",
    ),
    4: (
        "another process has taken the agent's identity",
        "Give each agent a state directory of its own; look for a second agent with the same one",
    ),
    78: (
        "a setting of the agent is wrong",
        "Read the last lines of the agent's log: they name the setting; correct it in the values",
    ),
    137: ("the container was killed", "See whether its memory limit or its liveness probe did it"),
}

_PULL: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"not found|manifest unknown|does not exist|NotFound",
        "the registry does not have the image",
        "Check repository, tag and digest of the image",
    ),
    (
        r"unauthorized|authentication required|denied|forbidden|no basic auth",
        "the registry refuses to give the image",
        "Name a pull secret that is good for this registry (image.pullSecrets), in the namespace of the pod",
    ),
    (
        r"no such host|lookup .* (?:on|:)|name resolution",
        "the registry's name does not resolve on the node",
        "Check the image's registry, and the DNS of the nodes",
    ),
    (
        r"x509|certificate",
        "the node does not trust the registry's certificate",
        "Give the node's container runtime the registry's authority",
    ),
    (
        r"timeout|timed out|i/o|connection refused|unreachable|deadline|EOF|reset",
        "the node does not reach the registry",
        "Allow the nodes to reach the registry, or use a registry that they reach",
    ),
    (
        r"ErrImageNeverPull|not present with pull policy of Never",
        "the node does not have the image and may not pull it",
        "Load the image onto the nodes, or set image.pullPolicy to IfNotPresent",
    ),
    (
        r"InvalidImageName|invalid reference",
        "the image's name is not valid",
        "Correct repository, tag and digest of the image",
    ),
)
_UNSCHEDULED: Final[tuple[tuple[str, str], ...]] = (
    (r"Insufficient [\w./-]+|Too many pods", "Lower the requests (resources.requests), or add nodes"),
    (r"taint", "Add the toleration that the nodes ask for (tolerations)"),
    (r"affinity|selector", "Correct nodeSelector or affinity, or label nodes accordingly"),
    (
        r"volume|PersistentVolumeClaim|claim",
        "See why the volume claim is not bound: storage class, zone, size",
    ),
)
_REGISTRY_URL: Final = re.compile(r'https?://[^\s"]+/v2/[^\s"]*')
_URL_CREDENTIAL: Final = re.compile(r"(?<=://)[^\s/@]+@")


@dataclass(frozen=True)
class Rules:
    """The rules under a data boundary. `strict`: node names and image references stay at the site."""

    strict: bool = True

    def findings(self, pod: Object, events: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        """Everything that is wrong with one pod."""
        found = [
            *self._scheduling(pod, now),
            *self._containers(pod, events, now),
            *self._ended_by_others(pod, events, now),
            *self._ending(pod, now),
        ]
        if not found:
            found = self._not_ready(pod, events, now)
        return found

    def not_created(
        self, workload: str, group: str, events: Iterable[Object], now: datetime
    ) -> list[SentinelFinding]:
        """What keeps the controller of a workload from making its pods, from the events of the workload."""
        found: dict[str, SentinelFinding] = {}
        for event in events:
            at = last_seen(event)
            if event.get("reason") not in ("FailedCreate", "FailedDelete") or at < now - timedelta(
                minutes=10
            ):
                continue
            message = str(event.get("message", ""))
            if "exceeded quota" in message:
                check, cause, remedy = (
                    "quota",
                    "the namespace's quota is used up, so Kubernetes makes no more pods of this worker",
                    "Raise the ResourceQuota of the namespace, or lower replicas or requests",
                )
            elif "violates PodSecurity" in message:
                check, cause, remedy = (
                    "pod_security",
                    "the namespace's Pod Security Standard refuses the pods of this worker",
                    "Correct the security contexts in the values, or the label pod-security.kubernetes.io/enforce",
                )
            elif "serviceaccount" in message and "not found" in message:
                check, cause, remedy = (
                    "service_account",
                    "the worker's service account does not exist",
                    "Create it, or set serviceAccount.create",
                )
            else:
                check, cause, remedy = (
                    "not_created",
                    "Kubernetes cannot make the pods of this worker",
                    "See the events of the ReplicaSet: kubectl get events",
                )
            since = min(first_seen(event), found[check].since) if check in found else first_seen(event)
            found[check] = SentinelFinding(
                check=check,
                subject=group or workload,
                cause=cause,
                evidence=self._clean(_after_colon(message) if check == "quota" else message),
                remedy=remedy,
                since=since,
                count=count(event),
            )
        return list(found.values())

    # ---- one pod

    def _scheduling(self, pod: Object, now: datetime) -> list[SentinelFinding]:
        condition = condition_of(pod, "PodScheduled")
        if condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
            return []
        since = moment(condition.get("lastTransitionTime")) or made_at(pod)
        if now - since < PENDING_FOR:
            return []
        message = str(condition.get("message", ""))
        remedy = next(
            (advice for pattern, advice in _UNSCHEDULED if re.search(pattern, message)),
            "See the scheduler's sentence, and the pod's events",
        )
        return [
            self._finding(
                pod,
                "unschedulable",
                "no node takes the pod",
                evidence=message,
                remedy=remedy,
                since=since,
            )
        ]

    def _containers(self, pod: Object, events: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        found: list[SentinelFinding] = []
        for status in container_statuses(pod):
            waiting = status.get("state", {}).get("waiting") or {}
            reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
            last = status.get("lastState", {}).get("terminated") or {}
            ended = status.get("state", {}).get("terminated") or last
            if reason in ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"):
                found.append(self._pull(pod, status, reason, message, events))
            elif reason == "CreateContainerConfigError":
                found.append(
                    self._finding(
                        pod,
                        "container_config",
                        "the container's configuration names something that does not exist",
                        evidence=message,
                        remedy="Create the Secret or ConfigMap in this namespace, with the key that is named",
                        since=first_of(events, "Failed") or made_at(pod),
                    )
                )
            elif reason in ("CreateContainerError", "RunContainerError", "StartError"):
                found.append(
                    self._finding(
                        pod,
                        "container_start",
                        "the container cannot be started",
                        evidence=message,
                        remedy="Check command, security context and volumes of the container",
                        since=first_of(events, "Failed") or made_at(pod),
                    )
                )
            elif was_out_of_memory(ended) and _recent(ended, now):
                limit = memory_limit(pod, str(status.get("name", "")))
                found.append(
                    self._finding(
                        pod,
                        "out_of_memory",
                        "the container was killed because it used up its memory limit",
                        evidence=f"OOMKilled, exit status {ended.get('exitCode')}"
                        + (f", limit {limit}" if limit else ""),
                        remedy="Raise resources.limits.memory or lower slots. Where the kubelet kills the whole container for "
                        "one task, set its singleProcessOOMKill",
                        since=moment(ended.get("finishedAt")) or now,
                        count=max(1, int(status.get("restartCount", 0))),
                    )
                )
            elif reason == "CrashLoopBackOff" or (
                int(status.get("restartCount", 0)) > 0 and last and _recent(last, now)
            ):
                found.append(self._crash(pod, status, ended, loops=reason == "CrashLoopBackOff", now=now))
            elif reason == "ContainerCreating" and (
                mount := first_of(events, "FailedMount", "FailedAttachVolume")
            ):
                found.append(
                    self._finding(
                        pod,
                        "volume_mount",
                        "a volume of the pod cannot be mounted",
                        evidence=message_of(events, "FailedMount", "FailedAttachVolume"),
                        remedy="Create the Secret, ConfigMap or claim that is named; see the storage driver",
                        since=mount,
                    )
                )
            elif reason == "ContainerCreating" and now - (scheduled_at(pod) or now) > CREATING_FOR:
                found.append(
                    self._finding(
                        pod,
                        "creating",
                        "the container is still being made",
                        evidence=message_of(events, "FailedCreatePodSandBox") or "no event says why",
                        remedy="A large image takes minutes; else look at the node's kubelet and network plugin",
                        since=scheduled_at(pod) or now,
                    )
                )
        return found

    def _pull(
        self, pod: Object, status: Object, reason: str, message: str, events: Sequence[Object]
    ) -> SentinelFinding:
        said = f"{reason} {message} {message_of(events, 'Failed')}"
        cause, remedy = next(
            ((cause, advice) for pattern, cause, advice in _PULL if re.search(pattern, said, re.IGNORECASE)),
            ("the image cannot be pulled", "See the pod's events"),
        )
        return self._finding(
            pod,
            "image_pull",
            cause,
            evidence=f"{reason}: " + (message or message_of(events, "Failed")),
            remedy=remedy,
            since=first_of(events, "Failed") or made_at(pod),
        )

    def _crash(
        self, pod: Object, status: Object, ended: Object, *, loops: bool, now: datetime
    ) -> SentinelFinding:
        code = int(ended.get("exitCode", 0))
        restarts = int(status.get("restartCount", 0))
        cause, remedy = EXIT_STATUS.get(
            code,
            (
                "the container ends again and again" if loops else "the container was restarted",
                "Read its log: kubectl logs --previous",
            ),
        )
        return self._finding(
            pod,
            "crash_loop" if loops else "restarted",
            cause,
            evidence=f"exit status {code} ({ended.get('reason') or 'no reason'}), {restarts} restart{'s' * (restarts != 1)}",
            remedy=remedy,
            since=moment(ended.get("finishedAt")) or now,
            count=max(1, restarts),
        )

    def _ended_by_others(self, pod: Object, events: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        status = pod.get("status", {})
        disrupted = condition_of(pod, "DisruptionTarget")
        # An evicted pod whose container drained and exited with 0 may be a pod that succeeded: the event alone tells.
        evicted_at = first_of(events, "Evicted")
        by_kubelet = status.get("reason") == "Evicted" or disrupted.get("reason") == "TerminationByKubelet"
        if by_kubelet or evicted_at is not None:
            since = moment(disrupted.get("lastTransitionTime")) or evicted_at or made_at(pod)
            if now - since > RECENT:
                return []
            message = str(status.get("message", "")) or message_of(events, "Evicted")
            cause, remedy = _eviction(message)
            return [
                self._finding(
                    pod,
                    "evicted",
                    cause,
                    evidence=message or str(status.get("reason") or disrupted.get("reason")),
                    remedy=remedy,
                    since=since,
                )
            ]
        if disrupted.get("status") == "True":
            why = {
                "PreemptionByScheduler": "a pod of higher priority took its place",
                "DeletionByTaintManager": "its node is not usable any more",
                "EvictionByEvictionAPI": "its node is drained",
                "DeletionByPodGC": "its node is gone",
            }.get(str(disrupted.get("reason")), "Kubernetes disrupts it")
            return [
                self._finding(
                    pod,
                    "disrupted",
                    f"the pod is being ended: {why}",
                    evidence=str(disrupted.get("reason", "")),
                    remedy="Nothing, where this was intended; else a priority class or a disruption budget",
                    since=moment(disrupted.get("lastTransitionTime")) or now,
                )
            ]
        ready = condition_of(pod, "Ready")
        gone = first_of(events, "NodeNotReady")
        if gone is not None and ready.get("status") != "True":
            return [
                self._finding(
                    pod,
                    "node_lost",
                    "the pod's node does not answer",
                    evidence="NodeNotReady",
                    remedy="Look at the node: its kubelet, its network, its machine",
                    since=moment(ready.get("lastTransitionTime")) or gone,
                )
            ]
        return []

    def _ending(self, pod: Object, now: datetime) -> list[SentinelFinding]:
        due = moment(pod.get("metadata", {}).get("deletionTimestamp"))  # when its grace ends
        if due is None or now - due < ENDING_FOR:
            return []
        return [
            self._finding(
                pod,
                "ending",
                "the pod was deleted and does not end",
                evidence=f"its grace ended {_span(now - due)} ago",
                remedy="Look at its node, and at metadata.finalizers",
                since=due,
            )
        ]

    def _not_ready(self, pod: Object, events: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        if (
            pod.get("metadata", {}).get("deletionTimestamp")
            or pod.get("status", {}).get("phase") != "Running"
        ):
            return []
        ready = condition_of(pod, "Ready")
        if ready.get("status") != "False":
            return []
        since = moment(ready.get("lastTransitionTime")) or made_at(pod)
        failing = [
            one
            for one in events
            if one.get("reason") == "Unhealthy" and last_seen(one) > now - timedelta(minutes=5)
        ]
        if failing:
            return [
                self._finding(
                    pod,
                    "probe",
                    "a probe of the container fails",
                    evidence=str(failing[-1].get("message", "")),
                    remedy="The agent's own findings, or its log, say why it is not ready",
                    since=since,
                    count=count(failing[-1]),
                )
            ]
        if now - since < NOT_READY_FOR:
            return []
        return [
            self._finding(
                pod,
                "not_ready",
                "the pod runs and is not ready",
                evidence=str(ready.get("reason", "")),
                remedy="The agent's own findings, or its log, say why it is not ready",
                since=since,
            )
        ]

    def _finding(
        self,
        pod: Object,
        check: str,
        cause: str,
        *,
        evidence: str,
        remedy: str,
        since: datetime,
        count: int = 1,
    ) -> SentinelFinding:
        return SentinelFinding(
            check=check,
            subject=name_of(pod),
            cause=cause,
            evidence=self._clean(evidence, pod),
            remedy=remedy,
            since=since,
            count=count,
        )

    def _clean(self, text: str, pod: Object | None = None) -> str:
        """Without credentials; under `strict` without node names, node addresses and image references, too."""
        text = shortened_credentials(_URL_CREDENTIAL.sub("***@", text))
        if not self.strict:
            return text
        for image in sorted(images(pod or {}), key=len, reverse=True):
            text = text.replace(image, "<image>").replace(repository(image), "<image>")
        text = _REGISTRY_URL.sub("<image>", text)
        for node in nodes(pod or {}):
            text = text.replace(node, "<node>")
        text = re.sub(r'(?i)(image|tag) "[^"]*"', r'\1 "<image>"', text)
        return re.sub(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>", text)


def watched(pod: Object, group: str) -> WatchedAgent:
    """How a pod is, in one line."""
    status, deleted = pod.get("status", {}), pod.get("metadata", {}).get("deletionTimestamp")
    phase = str(status.get("phase", "Unknown"))
    return WatchedAgent(
        name=name_of(pod),
        group=group,
        state="ending" if deleted else {"Succeeded": "ended"}.get(phase, phase.lower()),
        ready=not deleted and condition_of(pod, "Ready").get("status") == "True",
        restarts=sum(int(one.get("restartCount", 0)) for one in container_statuses(pod)),
        since=moment(status.get("startTime")) or moment(pod.get("metadata", {}).get("creationTimestamp")),
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


def _recent(ended: Object, now: datetime) -> bool:
    at = moment(ended.get("finishedAt"))
    return at is None or now - at < RECENT


def _after_colon(message: str) -> str:
    """Of a refusal only what was exceeded: what stands before names the pod that was not made."""
    at = message.find("exceeded quota")
    return message[at:] if at >= 0 else message


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
