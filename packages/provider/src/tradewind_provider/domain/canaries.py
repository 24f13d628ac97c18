"""What is known of a queue by its canary: pure functions of what was heard of it, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tradewind_protocol.attempts import CanaryHop, Outcome
from tradewind_protocol.operator import CanaryResult
from tradewind_protocol.states import OutcomeKind

PRIORITY: Final = -(2**31)
"""Of a canary: all work goes before it."""

CLAIMED_WITHIN: Final = timedelta(seconds=30)
"""How long a canary may wait for its grant: an agent polls all the time, so one with a free slot takes it at once."""

ENDED_WITHIN: Final = timedelta(seconds=30)
"""How long a canary may take from its grant to its report. Its agent gives a worker process a third of that."""

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""How long a queue has canaries after the last agent that served it."""


@dataclass(frozen=True)
class Verdict:
    """How a canary went."""

    result: CanaryResult
    hop: CanaryHop | None = None
    reason: str = ""
    remedy: str = ""
    rule: str = ""
    agent: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Serving:
    """What the agents say that serve a queue."""

    waits_for: str  # why work of the queue waits, in a sentence; of use when no agent takes work
    taking: tuple[str, ...] = ()  # agents that take work from it now and run canaries
    free: int = 0  # slots that these say are free
    older: tuple[str, ...] = ()  # agents that take work from it now and run no canaries
    asleep: str = ""  # a group of agents that may be at zero and serves it; empty: there is none


def first_due(site: str, queue: str, interval: float, now: datetime) -> datetime:
    """When a queue that has just been seen has its first canary: within one interval, each queue at a moment of its own."""
    digest = hashlib.sha256(f"{site}\n{queue}".encode()).digest()
    return now + timedelta(seconds=interval * int.from_bytes(digest[:4], "big") / 2**32)


def of_outcome(
    outcome: Outcome, *, agent: str, created_at: datetime, granted_at: datetime, now: datetime
) -> Verdict | None:
    """The verdict on what an agent reports; None when the agent stopped it and so nothing was tried."""
    marks = outcome.canary
    if outcome.kind is OutcomeKind.STOPPED:
        return None
    seconds = {CanaryHop.CLAIM.value: max(0.0, (granted_at - created_at).total_seconds())}
    if outcome.rule:
        return Verdict(
            CanaryResult.FAILED,
            CanaryHop.CLAIM,
            f"agent {agent} claims work of the queue and refuses it: {outcome.reason}",
            f"Change the rule {outcome.rule!r} of the site, or take the queue out of the agent's `queues`.",
            outcome.rule,
            agent,
            seconds,
        )
    if marks is not None and marks.start is not None:
        seconds[CanaryHop.START.value] = marks.start
    if marks is not None and marks.log is not None:
        seconds[CanaryHop.LOG.value] = marks.log
    if outcome.kind is OutcomeKind.SUCCEEDED and marks is not None and marks.failed is None:
        whole = max(0.0, (now - granted_at).total_seconds())
        seconds[CanaryHop.FINISH.value] = max(0.0, whole - (marks.start or 0.0) - (marks.log or 0.0))
        return Verdict(CanaryResult.OK, agent=agent, seconds=seconds)
    if outcome.kind is OutcomeKind.LOST:
        return of_silence(agent, outcome.reason, created_at=created_at, granted_at=granted_at)
    if marks is not None and marks.failed is CanaryHop.LOG:
        return Verdict(
            CanaryResult.FAILED,
            CanaryHop.LOG,
            f"agent {agent} started it, and {outcome.reason or 'its log was not written'}",
            "Make room on the disk of the agent's state directory, or mend the rights of the storage of task logs; "
            "`tradewind-agent doctor` names which.",
            agent=agent,
            seconds=seconds,
        )
    return Verdict(
        CanaryResult.FAILED,
        CanaryHop.START,
        f"agent {agent} claimed it and did not start it: {outcome.reason or 'its process failed'}",
        "See the log of the worker process (logs/worker-… in the agent's state directory) and run `tradewind-agent doctor` there.",
        agent=agent,
        seconds=seconds,
    )


def of_silence(agent: str, more: str, *, created_at: datetime, granted_at: datetime) -> Verdict:
    """The verdict on one that an agent was granted and did not report. `more` is what else is known of the agent."""
    return Verdict(
        CanaryResult.FAILED,
        CanaryHop.FINISH,
        f"agent {agent} was granted it and did not report how it ended" + (f": {more}" if more else ""),
        "Look at the agent's disk, where its outbox is, and at its way to the plane: `tradewind-agent doctor` examines both.",
        agent=agent,
        seconds={CanaryHop.CLAIM.value: max(0.0, (granted_at - created_at).total_seconds())},
    )


def of_waiting(queue: str, serving: Serving, *, declined: str, offered: bool) -> Verdict:
    """The verdict on one that no agent has confirmed in time. `declined` says why an agent has last declined it, `offered`
    whether one was asked."""
    if not serving.taking and serving.older:
        return Verdict(
            CanaryResult.UNKNOWN,
            reason=f"no agent of the queue runs canaries: the version of {_listed(serving.older)} is older",
            remedy="Upgrade tradewind-agent and the tradewind-runtime of its task environments.",
        )
    if not serving.taking and serving.asleep:
        return Verdict(
            CanaryResult.ASLEEP, reason=f"the agents of {serving.asleep} are at zero and wake on work"
        )
    if not serving.taking:
        return Verdict(
            CanaryResult.FAILED,
            CanaryHop.CLAIM,
            f"no agent claims work of the queue: it {serving.waits_for}",
            f"Start an agent that serves queue {queue!r}. A queue without one is tried for a day more.",
        )
    if not serving.free:
        return Verdict(CanaryResult.BUSY, reason=f"every slot of {_listed(serving.taking)} is taken by work")
    what = "was offered it and did not confirm it" if offered else "has a free slot and was not offered it"
    return Verdict(
        CanaryResult.FAILED,
        CanaryHop.CLAIM,
        f"{_listed(serving.taking)} {what}" + (f": {declined}" if declined else ""),
        "See the agent's log and its findings; `tradewind-agent doctor` tries its way to the plane.",
        agent=serving.taking[0] if len(serving.taking) == 1 else "",
    )


def failures_after(before: int, verdict: Verdict) -> int:
    """How many have failed one after the other. One that was not tried says nothing."""
    if verdict.result is CanaryResult.FAILED:
        return before + 1
    return 0 if verdict.result is CanaryResult.OK else before


def _listed(agents: tuple[str, ...]) -> str:
    more = f" and {len(agents) - 5} more" if len(agents) > 5 else ""
    return f"agent{'s' * (len(agents) > 1)} {', '.join(agents[:5])}{more}"
