"""What is wrong with the containers of a pod: the image, the configuration, the start, memory, and how they ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from tradewind_agent.sentinel.objects import (
    Object,
    container_statuses,
    first_of,
    made_at,
    memory_limit,
    message_of,
    moment,
    scheduled_at,
    was_out_of_memory,
)
from tradewind_agent.sentinel.problems import Problem

CREATING_FOR: Final = timedelta(seconds=90)
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
"""Exit status of an agent → cause and remedy."""

_PULL_FAILURES: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"}
)
_START_FAILURES: Final = frozenset({"CreateContainerError", "RunContainerError", "StartError"})
_MOUNT_FAILURES: Final = ("FailedMount", "FailedAttachVolume")
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
"""Of the registry's sentence: pattern, cause, remedy. The first that matches counts."""


def problems(pod: Object, events: Sequence[Object], now: datetime) -> Iterator[Problem]:
    """At most one for each container, the nearest to its cause."""
    for status in container_statuses(pod):
        found = _waits(pod, status, events) or _ended(pod, status, now) or _is_made(pod, status, events, now)
        if found is not None:
            yield found


def recent(at: datetime | None, now: datetime) -> bool:
    """Whether what happened at that moment is still shown. A moment that is not known is recent."""
    return at is None or now - at < RECENT


def _waits(pod: Object, status: Object, events: Sequence[Object]) -> Problem | None:
    """Of a container that Kubernetes cannot start as it is described."""
    reason, message = _waiting(status)
    if reason in _PULL_FAILURES:
        return _pull(pod, reason, message, events)
    since = first_of(events, "Failed") or made_at(pod)
    if reason == "CreateContainerConfigError":
        return Problem(
            check="container_config",
            cause="the container's configuration names something that does not exist",
            evidence=message,
            remedy="Create the Secret or ConfigMap in this namespace, with the key that is named",
            since=since,
        )
    if reason in _START_FAILURES:
        return Problem(
            check="container_start",
            cause="the container cannot be started",
            evidence=message,
            remedy="Check command, security context and volumes of the container",
            since=since,
        )
    return None


def _ended(pod: Object, status: Object, now: datetime) -> Problem | None:
    """Of a container that has run and ended."""
    reason, _ = _waiting(status)
    last = status.get("lastState", {}).get("terminated") or {}
    ended = status.get("state", {}).get("terminated") or last
    restarts = int(status.get("restartCount", 0))
    if was_out_of_memory(ended) and recent(moment(ended.get("finishedAt")), now):
        return _out_of_memory(pod, status, ended, now)
    loops = reason == "CrashLoopBackOff"
    if loops or (restarts > 0 and last and recent(moment(last.get("finishedAt")), now)):
        return _crash(ended, restarts, loops=loops, now=now)
    return None


def _is_made(pod: Object, status: Object, events: Sequence[Object], now: datetime) -> Problem | None:
    """Of a container that is being made."""
    reason, _ = _waiting(status)
    if reason != "ContainerCreating":
        return None
    if (mount := first_of(events, *_MOUNT_FAILURES)) is not None:
        return Problem(
            check="volume_mount",
            cause="a volume of the pod cannot be mounted",
            evidence=message_of(events, *_MOUNT_FAILURES),
            remedy="Create the Secret, ConfigMap or claim that is named; see the storage driver",
            since=mount,
        )
    scheduled = scheduled_at(pod)
    if scheduled is None or now - scheduled <= CREATING_FOR:
        return None
    return Problem(
        check="creating",
        cause="the container is still being made",
        evidence=message_of(events, "FailedCreatePodSandBox") or "no event says why",
        remedy="A large image takes minutes; else look at the node's kubelet and network plugin",
        since=scheduled,
    )


def _waiting(status: Object) -> tuple[str, str]:
    """Why a container waits: Kubernetes' reason and message; both are empty when it does not."""
    waiting = status.get("state", {}).get("waiting") or {}
    return str(waiting.get("reason", "")), str(waiting.get("message", ""))


def _pull(pod: Object, reason: str, message: str, events: Sequence[Object]) -> Problem:
    said = f"{reason} {message} {message_of(events, 'Failed')}"
    cause, remedy = next(
        ((cause, advice) for pattern, cause, advice in _PULL if re.search(pattern, said, re.IGNORECASE)),
        ("the image cannot be pulled", "See the pod's events"),
    )
    return Problem(
        check="image_pull",
        cause=cause,
        evidence=f"{reason}: " + (message or message_of(events, "Failed")),
        remedy=remedy,
        since=first_of(events, "Failed") or made_at(pod),
    )


def _out_of_memory(pod: Object, status: Object, ended: Object, now: datetime) -> Problem:
    limit = memory_limit(pod, str(status.get("name", "")))
    return Problem(
        check="out_of_memory",
        cause="the container was killed because it used up its memory limit",
        evidence=f"OOMKilled, exit status {ended.get('exitCode')}" + (f", limit {limit}" if limit else ""),
        remedy="Raise resources.limits.memory or lower slots. Where the kubelet kills the whole container for "
        "one task, set its singleProcessOOMKill",
        since=moment(ended.get("finishedAt")) or now,
        count=max(1, int(status.get("restartCount", 0))),
    )


def _crash(ended: Object, restarts: int, *, loops: bool, now: datetime) -> Problem:
    code = int(ended.get("exitCode", 0))
    unknown = (
        "the container ends again and again" if loops else "the container was restarted",
        "Read its log: kubectl logs --previous",
    )
    cause, remedy = EXIT_STATUS.get(code, unknown)
    return Problem(
        check="crash_loop" if loops else "restarted",
        cause=cause,
        evidence=f"exit status {code} ({ended.get('reason') or 'no reason'}), {restarts} restart{'s' * (restarts != 1)}",
        remedy=remedy,
        since=moment(ended.get("finishedAt")) or now,
        count=max(1, restarts),
    )
