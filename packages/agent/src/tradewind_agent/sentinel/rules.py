"""Findings about pods and about what makes them, as they may leave the site: pure functions of API objects and the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradewind_agent.sentinel.objects import Object, condition_of, container_statuses, moment, name_of
from tradewind_agent.sentinel.problems import Problem, containers, pods, workloads
from tradewind_agent.sentinel.redaction import redacted
from tradewind_protocol.sentinel import SentinelFinding, WatchedAgent


@dataclass(frozen=True)
class Rules:
    """The rules under a data boundary. `strict`: node names and image references stay at the site."""

    strict: bool = True

    def findings(self, pod: Object, events: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        """Everything that is wrong with one pod."""
        return [self._finding(each, name_of(pod), pod) for each in _problems(pod, events, now)]

    def not_created(
        self, workload: str, group: str, events: Iterable[Object], now: datetime
    ) -> list[SentinelFinding]:
        """What keeps the controller of a workload from making its pods, from the events of the workload."""
        return [self._finding(each, group or workload, {}) for each in workloads.problems(events, now)]

    def _finding(self, problem: Problem, subject: str, pod: Object) -> SentinelFinding:
        return SentinelFinding(
            check=problem.check,
            subject=subject,
            cause=problem.cause,
            evidence=redacted(problem.evidence, pod, strict=self.strict),
            remedy=problem.remedy,
            since=problem.since,
            count=problem.count,
        )


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


def _problems(pod: Object, events: Sequence[Object], now: datetime) -> Iterator[Problem]:
    """That a pod is not ready is told only when nothing else is: anything else explains it."""
    found = [
        pods.unschedulable(pod, now),
        *containers.problems(pod, events, now),
        pods.ended_by_others(pod, events, now),
        pods.does_not_end(pod, now),
    ]
    explained = [each for each in found if each is not None]
    yield from explained
    if not explained and (problem := pods.not_ready(pod, events, now)) is not None:
        yield problem
