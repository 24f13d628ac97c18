"""What keeps the controller of a Deployment or StatefulSet from making its pods, from the events of the workload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tradewind_agent.sentinel.objects import Object, count, first_seen, last_seen
from tradewind_agent.sentinel.problems import Problem

HAPPENED_WITHIN: Final = timedelta(minutes=10)
"""How old the last event may be: a controller that still fails repeats it."""


def problems(events: Iterable[Object], now: datetime) -> list[Problem]:
    """One for each cause, since its first event."""
    found: dict[str, Problem] = {}
    for event in events:
        if (
            event.get("reason") in ("FailedCreate", "FailedDelete")
            and last_seen(event) >= now - HAPPENED_WITHIN
        ):
            problem = _refusal(event)
            since = min(problem.since, found.get(problem.check, problem).since)
            found[problem.check] = replace(problem, since=since)
    return list(found.values())


def _refusal(event: Object) -> Problem:
    message = str(event.get("message", ""))
    check, cause, remedy = _explained(message)
    return Problem(
        check=check,
        cause=cause,
        evidence=_quota(message) if check == "quota" else message,
        remedy=remedy,
        since=first_seen(event),
        count=count(event),
    )


def _explained(message: str) -> tuple[str, str, str]:
    """Check, cause and remedy, of the API server's sentence."""
    if "exceeded quota" in message:
        return (
            "quota",
            "the namespace's quota is used up, so Kubernetes makes no more pods of this worker",
            "Raise the ResourceQuota of the namespace, or lower replicas or requests",
        )
    if "violates PodSecurity" in message:
        return (
            "pod_security",
            "the namespace's Pod Security Standard refuses the pods of this worker",
            "Correct the security contexts in the values, or the label pod-security.kubernetes.io/enforce",
        )
    if "serviceaccount" in message and "not found" in message:
        return (
            "service_account",
            "the worker's service account does not exist",
            "Create it, or set serviceAccount.create",
        )
    return (
        "not_created",
        "Kubernetes cannot make the pods of this worker",
        "See the events of the ReplicaSet: kubectl get events",
    )


def _quota(message: str) -> str:
    """Of a refusal only what was exceeded: what stands before names the pod that was not made."""
    return message[message.find("exceeded quota") :]
