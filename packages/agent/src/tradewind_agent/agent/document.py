"""The status document: how the agent is, gathered when it is asked for."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Any

from tradewind_agent.monitoring.version import agent_version

if TYPE_CHECKING:
    from tradewind_agent.agent.composition import Agent


def facts(agent: Agent) -> dict[str, Any]:
    """Everything that is shown of the agent, as `docs/how-to/watch-agents.md` describes it."""
    users = {each.name: each.run_as for each in agent.settings.task_environments}
    plane, used = agent.plane, [each.environment for each in agent.running.live]
    session = plane.session
    ready = plane.reachable and session is not None
    return {
        "agent": {
            "name": agent.settings.name,
            "id": agent.agent_id,
            "version": agent_version(),
            "pid": os.getpid(),
        },
        "plane": {
            "url": plane.url,
            "reachable": plane.reachable,
            "problem": plane.reachability.problem,
            "session": session.session_id if session is not None else None,
            "deployment": session.deployment if session is not None else None,
        },
        "not_ready": _not_ready(agent, ready),
        "draining": agent.drain.reason if agent.drain.requested else "",
        "cordoned": agent.running.cordoned,
        "environments": [
            {
                **each.model_dump(mode="json"),
                "used": used.count(each.name),
                "run_as": users[each.name],
            }
            for each in agent.environments.task_environments()
        ],
        "hosts": [
            {
                "component": each.component.value,
                "environment": each.environment,
                "state": each.state.value,
                "pid": each.pid,
                "restarts": each.restarts,
                "problem": agent.masking.masked(str(each.problem)) if each.problem is not None else "",
                "line": each.status.line if each.status is not None else "",
                "numbers": each.status.numbers if each.status is not None else {},
                "accelerators": {
                    name: agent.masking.masked(reason)
                    for name, reason in (each.hello.accelerators if each.hello is not None else {}).items()
                },
            }
            for each in agent.environments.processes
        ],
        "attempts": [
            {
                "id": a.ref.attempt_id,
                "work": a.offer.label,
                "environment": a.environment,
                "phase": a.phase.value,
            }
            for a in agent.running.live
        ],
        "findings": [finding.model_dump() for finding in agent.checks()],
        "metrics": {
            "plane_reachable": plane.reachable,
            "plane_answer_age_seconds": _answer_age(agent),
            "attempts_live": len(used),
            "attempts_ended": [
                {"process": process, "task_state": state, "count": count}
                for (process, state), count in sorted(agent.running.ended.items())
            ],
            **_disk(agent),
            "outbox_entries": len(agent.outbox),
            "outbox_oldest_seconds": max(0.0, agent.now() - (agent.outbox.oldest() or agent.now())),
            "outbox_dropped": agent.reporting.dropped,
            "draining": agent.drain.requested,
            "cordoned": agent.running.cordoned,
            "log_streams": agent.log_streams.open,
            "traces_dropped": agent.collector.dropped if agent.collector is not None else None,
        },
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


def _not_ready(agent: Agent, connected: bool) -> str:
    if not connected:
        return f"no plane: {agent.plane.reachability.problem or 'no session yet'}"
    if agent.drain.requested:
        return "draining"
    waiting = [process.title for process in agent.environments.processes if not process.ready]
    return f"not ready: {', '.join(waiting)}" if waiting else ""
