"""What a pod's status says is wrong, case by case; and a machine's units."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tradewind_agent.sentinel import machine
from tradewind_agent.sentinel.rules import Rules, watched
from tradewind_protocol import ids

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pod(*containers: dict[str, Any], deleted: float | None = None, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "lab-default-1",
            "uid": "u1",
            "creationTimestamp": ago(300),
            **({"deletionTimestamp": ago(deleted)} if deleted is not None else {}),
        },
        "spec": {
            "nodeName": "node-7.internal",
            "containers": [{"name": "agent", "image": "reg.example.com:5000/team/site:1.2", "resources": {}}],
        },
        "status": {"phase": "Running", "containerStatuses": list(containers), **status},
    }


def container(restarts: int = 0, **state: Any) -> dict[str, Any]:
    last = state.pop("last", None)
    return {
        "name": "agent",
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def condition(
    kind: str, status: str, reason: str = "", message: str = "", since: float = 120
) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(since),
    }


def event(
    reason: str, message: str = "", first: float = 60, last: float = 5, count: int = 3
) -> dict[str, Any]:
    return {
        "reason": reason,
        "message": message,
        "firstTimestamp": ago(first),
        "lastTimestamp": ago(last),
        "count": count,
    }


def ended(code: int, reason: str = "Error", at: float = 30) -> dict[str, Any]:
    return {"exitCode": code, "reason": reason, "finishedAt": ago(at)}


CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]], str, str]] = [
    # name, pod, events, check, part of the cause; "" and "": nothing is wrong
    ("healthy", pod(container(running={}), conditions=[condition("Ready", "True")]), [], "", ""),
    (
        "unauthorized",
        pod(container(**waiting("ErrImagePull", "pull access denied, authorization failed")), phase="Pending"),
        [],
        "image_pull",
        "refuses to give",
    ),
    (
        "no such registry",
        pod(container(**waiting("ImagePullBackOff", "dial tcp: lookup reg.example.com: no such host")), phase="Pending"),
        [],
        "image_pull",
        "does not resolve",
    ),
    (
        "the cause of a pull is in an event",
        pod(container(**waiting("ImagePullBackOff", "Back-off pulling image")), phase="Pending"),
        [event("Failed", "tls: failed to verify certificate: x509: unknown authority")],
        "image_pull",
        "certificate",
    ),
    (
        "never pulled",
        pod(container(**waiting("ErrImageNeverPull", "")), phase="Pending"),
        [],
        "image_pull",
        "may not pull it",
    ),
    (
        "a Secret is missing",
        pod(container(**waiting("CreateContainerConfigError", 'secret "site-token" not found')), phase="Pending"),
        [],
        "container_config",
        "does not exist",
    ),
    ("settings", pod(container(4, **waiting("CrashLoopBackOff"), last=ended(78))), [], "crash_loop", "a setting"),
    ("refused", pod(container(4, **waiting("CrashLoopBackOff"), last=ended(3))), [], "crash_loop", "refuses"),
    ("fenced", pod(container(4, **waiting("CrashLoopBackOff"), last=ended(4))), [], "crash_loop", "identity"),
    ("restarted", pod(container(1, running={}, last=ended(1))), [], "restarted", "restarted"),
    ("restarted long ago", pod(container(1, running={}, last=ended(1, at=4000))), [], "", ""),
    ("oom", pod(container(1, running={}, last=ended(137, "OOMKilled"))), [], "out_of_memory", "memory limit"),
    (
        "oom in a loop",
        pod(container(5, **waiting("CrashLoopBackOff"), last=ended(137, "OOMKilled"))),
        [],
        "out_of_memory",
        "memory limit",
    ),
    (
        "no node",
        pod(
            phase="Pending",
            conditions=[
                condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
            ],
        ),
        [],
        "unschedulable",
        "no node takes",
    ),
    (
        "no node for a moment",
        pod(phase="Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", "x", since=5)]),
        [],
        "",
        "",
    ),
    (
        "a volume",
        pod(container(**waiting("ContainerCreating")), phase="Pending"),
        [event("FailedMount", 'MountVolume.SetUp failed for volume "ca": configmap "ca" not found')],
        "volume_mount",
        "cannot be mounted",
    ),
    (
        "evicted",
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage.",
            conditions=[condition("DisruptionTarget", "True", "TerminationByKubelet")]),
        [],
        "evicted",
        "ephemeral-storage",
    ),
    (
        "over its limit",
        pod(phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "state" exceeds the limit "40Mi". ',
            conditions=[condition("DisruptionTarget", "True", "TerminationByKubelet")]),
        [],
        "evicted",
        "more disk than its limit",
    ),
    (
        "over its limit, and its agent ended in order",
        pod(phase="Succeeded", conditions=[condition("Ready", "False", "PodCompleted")]),
        [event("Evicted", 'Usage of EmptyDir volume "state" exceeds the limit "40Mi". ')],
        "evicted",
        "more disk than its limit",
    ),
    (
        "drained",
        pod(container(running={}), conditions=[condition("DisruptionTarget", "True", "EvictionByEvictionAPI")]),
        [],
        "disrupted",
        "drained",
    ),
    (
        "node lost",
        pod(container(running={}), conditions=[condition("Ready", "False")]),
        [event("NodeNotReady", "Node is not ready")],
        "node_lost",
        "does not answer",
    ),
    ("ends in its grace", pod(container(running={}), deleted=-100), [], "", ""),
    ("does not end", pod(container(running={}), deleted=100), [], "ending", "does not end"),
    (
        "probe",
        pod(container(running={}), conditions=[condition("Ready", "False", "ContainersNotReady")]),
        [event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
        "probe",
        "a probe",
    ),
    (
        "not ready for long",
        pod(container(running={}), conditions=[condition("Ready", "False", since=200)]),
        [],
        "not_ready",
        "not ready",
    ),
    ("not ready yet", pod(container(running={}), conditions=[condition("Ready", "False", since=60)]), [], "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "events", "check", "cause"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_a_status_is_one_finding_with_cause_and_remedy(
    told: dict[str, Any], events: list[dict[str, Any]], check: str, cause: str
) -> None:
    found = Rules().findings(told, events, NOW)
    assert [one.check for one in found] == ([check] if check else [])
    for one in found:
        assert cause in one.cause and one.remedy and one.subject == "lab-default-1"
        assert NOW - timedelta(hours=1) <= one.since <= NOW


@pytest.mark.parametrize("check", [one[3] for one in CASES if one[3]])
def test_every_check_is_on_the_page_of_findings(check: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "sentinel-findings.md").read_text()
    assert f"| `{check}` |" in page


def test_under_strict_no_node_no_address_and_no_image_leaves_and_a_credential_never() -> None:
    token = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
    message = (
        "failed to pull reg.example.com:5000/team/site:1.2 on node-7.internal from 10.1.2.3:5000 with "
        f"https://bob:hunter2@proxy.example.com and {token}: i/o timeout"
    )
    told = pod(container(**waiting("ErrImagePull", message)), phase="Pending")
    (strict,), (open_,) = Rules().findings(told, [], NOW), Rules(strict=False).findings(told, [], NOW)
    asked = 'failed to do request: Head "https://reg.example.com/v2/team/site/manifests/1.2": i/o timeout'
    (by_url,) = Rules().findings(pod(container(**waiting("ErrImagePull", asked)), phase="Pending"), [], NOW)
    assert "team/site" not in by_url.evidence
    for kept in ("reg.example.com", "node-7", "10.1.2.3"):
        assert kept not in strict.model_dump_json() and kept in open_.evidence
    for secret in ("hunter2", token):
        assert secret not in strict.evidence + open_.evidence
    assert strict.cause == "the node does not reach the registry"


def test_of_a_quota_only_what_is_exceeded_leaves() -> None:
    refused = event(
        "FailedCreate", 'pods "other-x" is forbidden: exceeded quota: q, requested: pods=1, limited: pods=4'
    )
    (one,) = Rules().not_created("rel-default", "rel/default", [refused], NOW)
    assert (one.check, one.subject) == ("quota", "rel/default")
    assert one.evidence == "exceeded quota: q, requested: pods=1, limited: pods=4"
    assert (
        Rules().not_created("rel-default", "", [event("FailedCreate", "exceeded quota", last=700)], NOW) == []
    )


def test_a_pod_in_one_line() -> None:
    one = watched(pod(container(3, running={}), conditions=[condition("Ready", "True")]), "lab/default")
    assert (one.state, one.ready, one.restarts, one.group) == ("running", True, 3, "lab/default")
    assert watched(pod(container(running={}), deleted=1), "").state == "ending"


UNITS = """Id=tradewind-agent.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
ExecMainStatus=0
NRestarts=0
StateChangeTimestamp=Sun 2026-03-01 11:00:00 UTC

Id=tradewind-agent@gpu.service
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
ExecMainStatus=3
NRestarts=0
StateChangeTimestamp=Sun 2026-03-01 11:58:00 UTC

Id=tradewind-agent@mem.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=oom-kill
ExecMainStatus=9
NRestarts=7
StateChangeTimestamp=Sun 2026-03-01 11:59:30 UTC
"""


def test_units_of_systemd_are_judged_by_how_they_ended() -> None:
    units = machine.units_of(UNITS)
    found = [one for unit in units for one in machine.unit_findings(unit, NOW)]
    assert [(one.check, one.subject, one.count) for one in found] == [
        ("crash_loop", "tradewind-agent@gpu.service", 1),
        ("out_of_memory", "tradewind-agent@mem.service", 7),
    ]
    assert found[0].cause == "the plane refuses this agent for good"
    assert found[0].since == datetime(2026, 3, 1, 11, 58, tzinfo=timezone.utc)
    assert [machine.unit_watched(unit).state for unit in units] == ["running", "failed", "pending"]


async def test_systemctl_is_asked_for_the_units_and_a_refusal_is_a_finding(tmp_path: Path) -> None:
    command = tmp_path / "systemctl"
    command.write_text(f"#!/bin/sh\n[ \"$1\" = show ] && cat <<'UNITS'\n{UNITS}UNITS\n")
    command.chmod(0o755)
    agents, found = await machine.Machine(units=("a*",), state_dirs=(), systemctl=str(command)).look(NOW)
    assert len(agents) == 3 and len(found) == 2
    command.write_text("#!/bin/sh\necho 'Access denied' >&2; exit 1\n")
    agents, found = await machine.Machine(units=("a*",), state_dirs=(), systemctl=str(command)).look(NOW)
    assert [(one.check, one.evidence) for one in found] == [("permission", "Access denied")]
    nothing = machine.Machine(units=("a*",), state_dirs=(), systemctl=str(tmp_path / "none"))
    assert await nothing.look(NOW) == ([], [])


@pytest.mark.parametrize(
    ("document", "alive", "check"),
    [
        (None, False, "never_started"),
        ({"at": ago(10), "agent": {"name": "eu-1", "pid": 1}}, False, "stopped"),
        ({"at": ago(600), "agent": {"name": "eu-1", "pid": 1}}, True, "stuck"),
        ({"at": ago(10), "agent": {"name": "eu-1", "pid": 1}}, True, ""),
    ],
)
def test_an_agents_state_directory_says_whether_it_runs(
    document: dict[str, Any] | None, alive: bool, check: str
) -> None:
    found = list(machine.state_findings(Path("/var/lib/eu-1"), document, alive=alive, now=NOW))
    assert [one.check for one in found] == ([check] if check else [])
    assert all(one.subject == "eu-1" for one in found)
