"""Agents of one namespace: their pods and events by watches of the Kubernetes API, and each agent's own port."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final

import structlog

from tradewind_agent.kits import aiotime
from tradewind_agent.sentinel import kubernetes, rules
from tradewind_agent.sentinel.agents import AgentHealth, cost_of
from tradewind_agent.sentinel.kubernetes import DELETION_COST, Cache, KubernetesApi, Unwatchable
from tradewind_agent.sentinel.objects import Object, condition_of, name_of
from tradewind_agent.sentinel.rules import Rules
from tradewind_agent.sentinel.settings import SentinelSettings, Workload
from tradewind_protocol.sentinel import SentinelFinding, WatchedAgent

log = structlog.get_logger(__name__)

_PART: Final = "tradewind.io/part"
_INSTANCE: Final = "app.kubernetes.io/instance"
_COMPONENT: Final = "app.kubernetes.io/component"
_FIRST_LIST: Final = 20.0
"""Seconds that a look waits for the first list of pods."""


class Pods:
    """Watches from entering to leaving the context. `since`: since when a finding is one that has no time of its own."""

    def __init__(
        self,
        settings: SentinelSettings,
        *,
        api: KubernetesApi,
        rules: Rules,
        health: AgentHealth,
        since: Callable[[tuple[str, str], datetime], datetime],
    ) -> None:
        self._settings = settings
        self._api = api
        self._rules = rules
        self._health = health
        self._since = since
        self._pods = Cache(api, "pods", {"labelSelector": settings.selector}, keep=kubernetes.pod_as_kept)
        self._events = Cache(
            api, "events", {"fieldSelector": "type=Warning"}, keep=kubernetes.event_as_kept, most=2000
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Pods:
        await self._stack.enter_async_context(self._api)
        await self._stack.enter_async_context(kubernetes.watching(self._pods, self._events))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def namespace(self) -> str:
        return self._api.namespace

    @property
    def listed(self) -> bool:
        """Whether the pods are known, so that one that is not among them is not there."""
        return self._pods.listed.is_set()

    async def look(self, now: datetime) -> tuple[list[WatchedAgent], list[SentinelFinding]]:
        """The agents of the namespace, and what is wrong with them, with what makes them and with the watches. Writes each
        pod's deletion cost when that is set. Waits for the first list of pods for a while."""
        findings = self._watch_findings(now)
        try:
            await aiotime.within(self._pods.listed.wait(), _FIRST_LIST)
        except asyncio.TimeoutError:
            return [], findings
        pods, by_uid = self._pods.objects, self._events_by_uid()
        agents = [rules.watched(pod, _group(pod)) for pod in pods]
        for pod in pods:
            events = by_uid.get(str(pod["metadata"].get("uid", "")), [])
            findings += self._rules.findings(pod, events, now)
        for workload in self._settings.workloads:
            about = [one for one in self._events.objects if _makes(workload, one["involvedObject"])]
            findings += self._rules.not_created(workload.name, workload.group, about, now)
        findings += await self._ask_agents(pods, now)
        return agents, findings

    def one_of_each_group(self) -> dict[str, str]:
        """Group → the address of a ready agent of it; empty when agents are not asked."""
        if not self._settings.agent_port:
            return {}
        return {
            _group(one): one["status"]["podIP"] for one in self._pods.objects if _answers(one) and _ready(one)
        }

    def _events_by_uid(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for event in self._events.objects:
            found.setdefault(str(event["involvedObject"].get("uid", "")), []).append(event)
        return found

    def _watch_findings(self, now: datetime) -> list[SentinelFinding]:
        return [
            self._watch_finding(cache.problem, kind, now)
            for cache, kind in ((self._pods, "pods"), (self._events, "events"))
            if cache.problem is not None
        ]

    def _watch_finding(self, problem: Unwatchable, kind: str, now: datetime) -> SentinelFinding:
        if problem.denied:
            check, cause = "permission", f"the sentinel may not watch {kind}"
            remedy = f"Give the sentinel's service account get, list and watch of {kind} in namespace {self.namespace}"
        else:
            check, cause = "kubernetes_api", "the sentinel does not reach the Kubernetes API server"
            remedy = "Check the NetworkPolicy: the sentinel has to reach the Kubernetes API server"
        return SentinelFinding(
            check=check,
            subject="sentinel",
            cause=cause,
            evidence=str(problem),
            remedy=remedy,
            since=self._since((check, "sentinel"), now),
        )

    async def _ask_agents(self, pods: Sequence[Object], now: datetime) -> list[SentinelFinding]:
        """Each agent that runs, on its own port: also the one that Kubernetes calls ready."""
        asked = [one for one in pods if self._settings.agent_port and _answers(one)]
        answers = await asyncio.gather(*(self._health.document(one["status"]["podIP"]) for one in asked))
        found: list[SentinelFinding] = []
        for pod, answer in zip(asked, answers, strict=True):
            name = name_of(pod)
            if _ready(pod) or not isinstance(answer, str):
                found += self._health.findings(name, answer, now)
            await self._write_deletion_cost(pod, answer)
        self._health.forget({name_of(one) for one in asked})
        return found

    async def _write_deletion_cost(self, pod: Object, answer: Mapping[str, Any] | str) -> None:
        """Tell Kubernetes how much the agent of a pod runs, when that is set and has changed."""
        cost = cost_of(answer)
        if not self._settings.pod_deletion_cost or cost is None:
            return
        if pod["metadata"]["annotations"].get(DELETION_COST, "0") == str(cost):
            return
        try:
            await self._api.annotate(name_of(pod), {DELETION_COST: str(cost)})
        except Unwatchable as error:
            log.warning(
                "A pod's deletion cost was not written", action="sentinel_cost_failed", error=str(error)
            )


def _group(pod: Object) -> str:
    labels = pod["metadata"].get("labels") or {}
    instance = str(labels.get(_INSTANCE, ""))
    return f"{instance}/{labels[_PART]}" if _PART in labels else instance


def _answers(pod: Object) -> bool:
    """Whether an agent in the pod can be asked on its own port."""
    status, metadata = pod["status"], pod["metadata"]
    return (
        bool(status.get("podIP"))
        and status.get("phase") == "Running"
        and not metadata.get("deletionTimestamp")
        and (metadata.get("labels") or {}).get(_COMPONENT) != "sentinel"
    )


def _ready(pod: Object) -> bool:
    return condition_of(pod, "Ready").get("status") == "True"


def _makes(workload: Workload, about: Object) -> bool:
    """Whether an event is about what makes the pods of the workload."""
    name = str(about.get("name", ""))
    if about.get("kind") == "StatefulSet":
        return name == workload.name
    of_deployment = re.fullmatch(re.escape(workload.name) + "-[a-z0-9]+", name) is not None
    return about.get("kind") == "ReplicaSet" and of_deployment
