"""The status document: how the agent is, gathered when it is asked for."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tradewind_agent.monitoring.version import agent_version

if TYPE_CHECKING:
    from tradewind_agent.agent.composition import Agent
    from tradewind_agent.environments.process import ComponentProcess
    from tradewind_agent.work.attempt import Attempt


def facts(agent: Agent) -> dict[str, Any]:
    """Everything that is shown of the agent, as `docs/how-to/watch-agents.md` describes it."""
    used = Counter(each.environment for each in agent.running.live)
    return {
        "agent": {
            "name": agent.settings.name,
            "id": agent.agent_id,
            "version": agent_version(),
            "pid": os.getpid(),
        },
        "plane": _plane(agent),
        "not_ready": _not_ready(agent),
        "draining": agent.drain.reason if agent.drain.requested else "",
        "cordoned": agent.running.cordoned,
        "environments": _environments(agent, used),
        "hosts": [_process(agent, each) for each in agent.environments.processes],
        "attempts": [_attempt(each) for each in agent.running.live],
        "findings": [finding.model_dump() for finding in agent.checks()],
        "metrics": _metrics(agent),
    }


def _plane(agent: Agent) -> dict[str, Any]:
    plane, session = agent.plane, agent.plane.session
    return {
        "url": plane.url,
        "reachable": plane.reachable,
        "problem": plane.reachability.problem,
        "session": session.session_id if session is not None else None,
        "deployment": session.deployment if session is not None else None,
    }


def _environments(agent: Agent, used: Mapping[str, int]) -> list[dict[str, Any]]:
    users = {each.name: each.run_as for each in agent.settings.task_environments}
    return [
        {**each.model_dump(mode="json"), "used": used.get(each.name, 0), "run_as": users[each.name]}
        for each in agent.environments.task_environments()
    ]


def _process(agent: Agent, process: ComponentProcess) -> dict[str, Any]:
    status, hello, masked = process.status, process.hello, agent.masking.masked
    return {
        "component": process.component.value,
        "environment": process.environment,
        "state": process.state.value,
        "pid": process.pid,
        "restarts": process.restarts,
        "problem": masked(str(process.problem)) if process.problem is not None else "",
        "line": status.line if status is not None else "",
        "numbers": status.numbers if status is not None else {},
        "accelerators": {
            name: masked(reason) for name, reason in (hello.accelerators if hello is not None else {}).items()
        },
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.ref.attempt_id,
        "work": attempt.offer.label,
        "environment": attempt.environment,
        "phase": attempt.phase.value,
    }


def _metrics(agent: Agent) -> dict[str, Any]:
    """The numbers of `monitoring.metrics` that stand nowhere else in the document."""
    outbox, running, now = agent.outbox, agent.running, agent.now()
    return {
        "plane_reachable": agent.plane.reachable,
        "plane_answer_age_seconds": _answer_age(agent),
        "attempts_live": len(running.live),
        "attempts_ended": [
            {"process": process, "task_state": state, "count": count}
            for (process, state), count in sorted(running.ended.items())
        ],
        **_disk(agent),
        "outbox_entries": len(outbox),
        "outbox_oldest_seconds": max(0.0, now - (outbox.oldest() or now)),
        "outbox_dropped": agent.reporting.dropped,
        "draining": agent.drain.requested,
        "cordoned": running.cordoned,
        "log_streams": agent.task_logs.streams.open,
        "traces_dropped": agent.collector.dropped if agent.collector is not None else None,
    }


def _disk(agent: Agent) -> dict[str, int]:
    try:
        found = shutil.disk_usage(agent.settings.state_dir)
    except OSError:  # a check of its own tells of it
        return {}
    return {"disk_free_bytes": found.free, "disk_size_bytes": found.total}


def _answer_age(agent: Agent) -> float | None:
    last = agent.plane.last_success
    return None if last is None else asyncio.get_running_loop().time() - last


def _not_ready(agent: Agent) -> str:
    """Why the agent takes no work; empty while it does."""
    if not agent.plane.reachable or agent.plane.session is None:
        return f"no plane: {agent.plane.reachability.problem or 'no session yet'}"
    if agent.drain.requested:
        return "draining"
    waiting = [process.title for process in agent.environments.processes if not process.ready]
    return f"not ready: {', '.join(waiting)}" if waiting else ""
