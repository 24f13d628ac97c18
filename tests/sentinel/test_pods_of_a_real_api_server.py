"""The sentinel against a real Kubernetes API server: lists, watches, rights, and what it says of pods."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tradewind_agent.sentinel import kubernetes
from tradewind_agent.sentinel.composition import Sentinel
from tradewind_agent.sentinel.settings import SentinelSettings, Workload
from tradewind_protocol import ids
from tradewind_protocol.sentinel import SentinelReport
from tradewind_protocol.sessions import Policy

from .api_server import ApiServer, Namespace

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def namespace(server: ApiServer, request: pytest.FixtureRequest) -> Namespace:
    made = server.namespace(f"ns-{abs(hash(request.node.name)) % 10**8}")
    made.allow("pods", "events")
    return made


class Plane:
    """Takes reports, as the plane does, and keeps them."""

    def __init__(self) -> None:
        self.reports: list[SentinelReport] = []
        self.every = 5.0
        self.changed = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive()).get("more_body") or message.get("body"):
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer: dict[str, Any] = {"deployment": "lab", "token": "watch"}
        if scope["path"].endswith("/sentinel/report"):
            self.reports.append(SentinelReport.model_validate_json(body))
            self.changed.set()
            answer = {"every": self.every}
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"tradewind-protocol", b"1.0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def watching(
    namespace: Namespace, tmp_path: Path, *, agents: Any = None, **more: Any
) -> AsyncIterator[Sentinel]:
    """A sentinel with the account's token that has listed, and that evaluates when it is asked."""
    token = tmp_path / "account-token"
    token.write_text(namespace.token())
    settings = SentinelSettings(
        plane_url="http://plane.test",
        token=ids.new_secret(ids.SENTINEL_TOKEN_PREFIX),
        name="lab-sentinel",
        namespace=namespace.name,
        kubernetes_server=namespace.server.url,
        kubernetes_token_file=token,
        kubernetes_ca_file=namespace.server.ca_file,
        port=0,
        agent_port=39091 if agents is not None else 0,
        **more,
    )
    sentinel = Sentinel(settings, transport=httpx.ASGITransport(Plane()), agents_transport=agents)
    async with AsyncExitStack() as stack:
        await sentinel._watch(stack)
        yield sentinel


async def until(sentinel: Sentinel, *checks: str) -> SentinelReport:
    """The report that has these checks and no others, as soon as there is one."""
    report = await sentinel.evaluate()
    while sorted(one.check for one in report.findings) != sorted(checks):
        await asyncio.sleep(0.1)
        report = await sentinel.evaluate()
    return report


WAITING_FOR_IMAGE = {
    "phase": "Pending",
    "containerStatuses": [
        {
            "name": "agent",
            "image": "registry.example.com/site:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {
                "waiting": {
                    "reason": "ImagePullBackOff",
                    "message": 'Back-off pulling image "registry.example.com/site:1": ErrImagePull: rpc error: code = NotFound '
                    'desc = failed to pull and unpack image "registry.example.com/site:1": not found',
                }
            },
        }
    ],
}


async def test_a_pod_that_cannot_pull_its_image_is_found_while_it_is_watched_and_gone_with_it(
    namespace: Namespace, tmp_path: Path
) -> None:
    async with watching(namespace, tmp_path) as sentinel:
        assert (await until(sentinel)).agents == ()
        namespace.pod("lab-default-1")
        namespace.status("lab-default-1", WAITING_FOR_IMAGE)
        report = await until(sentinel, "image_pull")
        (one,), (pod,) = report.findings, report.agents
        assert (one.subject, one.cause) == ("lab-default-1", "the registry does not have the image")
        assert "registry.example.com" not in report.model_dump_json(), "strict: image references stay"
        assert (pod.group, pod.state, pod.ready) == ("lab/default", "pending", False)
        namespace.delete("lab-default-1")
        assert (await until(sentinel)).agents == ()


async def test_the_cause_of_an_oom_kill_and_of_a_crash_is_named_with_its_remedy(
    namespace: Namespace, tmp_path: Path
) -> None:
    def ended(reason: str, code: int, **state: Any) -> dict[str, Any]:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 20))
        return {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "agent",
                    "image": "site:1",
                    "imageID": "",
                    "ready": True,
                    "restartCount": 2,
                    "state": state or {"running": {"startedAt": at}},
                    "lastState": {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at}},
                }
            ],
        }

    namespace.pod("lab-gpu-1", part="gpu")
    namespace.status("lab-gpu-1", ended("OOMKilled", 137))
    namespace.pod("lab-gpu-2", part="gpu")
    namespace.status(
        "lab-gpu-2", ended("Error", 3, waiting={"reason": "CrashLoopBackOff", "message": "back-off 40s"})
    )
    async with watching(namespace, tmp_path) as sentinel:
        report = await until(sentinel, "out_of_memory", "crash_loop")
    by_check = {one.check: one for one in report.findings}
    assert by_check["out_of_memory"].evidence == "OOMKilled, exit status 137, limit 2Gi"
    assert "resources.limits.memory" in by_check["out_of_memory"].remedy
    assert by_check["crash_loop"].cause == "the plane refuses this agent for good"
    assert [(one.name, one.restarts) for one in report.agents] == [("lab-gpu-1", 2), ("lab-gpu-2", 2)]


async def test_a_quota_that_makes_pods_impossible_is_named_though_there_is_no_pod(
    namespace: Namespace, tmp_path: Path
) -> None:
    gpu = Workload(name="lab-tradewind-agent-gpu", group="lab/gpu", queues=("gpu",), least=1, most=4)
    idle = Workload(name="lab-tradewind-agent-idle", group="lab/idle", queues=("idle",), least=0)
    async with watching(namespace, tmp_path, workloads=(gpu, idle)) as sentinel:
        namespace.event(
            "ReplicaSet",
            "lab-tradewind-agent-gpu-7d9c5b7f4",
            "b1f5e1c2-0000-4000-8000-000000000001",
            "FailedCreate",
            'Error creating: pods "lab-tradewind-agent-gpu-7d9c5b7f4-x2k" is forbidden: exceeded quota: small, '
            "requested: requests.memory=1Gi, used: requests.memory=4Gi, limited: requests.memory=4Gi",
        )
        namespace.event(
            "ReplicaSet",
            "web-5c6d",
            "b1f5e1c2-0000-4000-8000-000000000002",
            "FailedCreate",
            "exceeded quota: x",
        )
        report = await until(sentinel, "quota", "no_agents")
    found = {one.check: one for one in report.findings}
    assert (found["quota"].subject, found["no_agents"].subject) == ("lab/gpu", "lab/gpu")
    assert found["quota"].evidence.startswith("exceeded quota: small, requested: requests.memory=1Gi")
    assert [(one.name, one.least, one.present) for one in report.groups] == [
        ("lab/gpu", 1, 0),
        ("lab/idle", 0, 0),
    ]


async def test_pods_that_are_not_agents_are_neither_looked_at_nor_named(
    namespace: Namespace, tmp_path: Path
) -> None:
    made = namespace.pod("payroll-db-0", labels={"app": "payroll"})
    namespace.status("payroll-db-0", WAITING_FOR_IMAGE)
    namespace.event("Pod", "payroll-db-0", made["metadata"]["uid"], "Unhealthy", "payroll-db-0 is sick")
    namespace.pod("lab-default-1")
    namespace.status("lab-default-1", WAITING_FOR_IMAGE)
    async with watching(namespace, tmp_path) as sentinel:
        report = await until(sentinel, "image_pull")
    assert "payroll" not in report.model_dump_json()


async def test_a_right_that_is_missing_is_a_finding_and_one_that_is_given_ends_it(
    namespace: Namespace, tmp_path: Path
) -> None:
    namespace.allow("pods")
    async with watching(namespace, tmp_path) as sentinel:
        report = await until(sentinel, "permission")
        assert report.findings[0].cause == "the sentinel may not watch events"
        assert report.findings[0].remedy == (
            f"Give the sentinel's service account get, list and watch of events in namespace {namespace.name}"
        )
        namespace.allow("pods", "events")
        await until(sentinel)


def test_these_rights_are_enough_and_secrets_are_not_among_them(namespace: Namespace) -> None:
    headers = {"Authorization": f"Bearer {namespace.token()}"}
    core = namespace.core
    with httpx.Client(
        base_url=namespace.server.url, verify=str(namespace.server.ca_file), headers=headers, trust_env=False
    ) as account:
        assert account.get(f"{core}/pods").status_code == 200
        for path in (f"{core}/secrets", "/api/v1/pods", "/api/v1/nodes", f"{core}/configmaps"):
            assert account.get(path).status_code == 403, path


async def test_the_token_of_the_account_is_read_again_for_each_request(
    namespace: Namespace, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("replaced since")
    async with kubernetes.api(
        server=namespace.server.url,
        namespace=namespace.name,
        token_file=token,
        ca_file=namespace.server.ca_file,
    ) as api:
        with pytest.raises(kubernetes.Unwatchable) as refused:
            await api.list("pods", {})
        assert refused.value.denied
        token.write_text(namespace.token())
        assert (await api.list("pods", {}))[0] == []


async def test_an_agents_running_work_becomes_its_pods_deletion_cost(
    namespace: Namespace, tmp_path: Path
) -> None:
    namespace.allow("pods", "events", verbs=("get", "list", "watch", "patch"))
    running = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    for name, address in (("lab-default-1", "10.0.0.1"), ("lab-default-2", "10.0.0.2")):
        namespace.pod(name)
        namespace.status(name, {**running, "podIP": address, "podIPs": [{"ip": address}]})

    async def agent(request: httpx.Request) -> httpx.Response:
        busy = request.url.host == "10.0.0.1"
        return httpx.Response(200, json={"attempts": [{}, {}] if busy else [], "plane": {"reachable": True}})

    async with watching(
        namespace, tmp_path, agents=httpx.MockTransport(agent), pod_deletion_cost=True
    ) as sentinel:
        await until(sentinel)
    costs = {
        one["metadata"]["name"]: (one["metadata"].get("annotations") or {}).get(kubernetes.DELETION_COST)
        for one in namespace.server.admin.get(f"{namespace.core}/pods").json()["items"]
    }
    assert costs == {"lab-default-1": "100", "lab-default-2": None}


async def test_what_a_worker_does_not_reach_is_found_through_its_own_agent(
    namespace: Namespace, tmp_path: Path
) -> None:
    namespace.pod("lab-default-1")
    address = {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **address}
    namespace.status("lab-default-1", ready)
    sealed = {
        "check": "secrets:default",
        "verdict": "failed",
        "evidence": "VaultBackend: Vault is sealed",
        "remedy": "Unseal it",
    }
    fine = {"check": "xcom:default", "verdict": "ok", "evidence": "written and read", "remedy": ""}

    async def agent(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/examination":
            return httpx.Response(200, json={"at": 1.0, "running": False, "results": [sealed, fine]})
        return httpx.Response(200, json={"attempts": [], "plane": {"reachable": True}})

    async with watching(namespace, tmp_path, agents=httpx.MockTransport(agent)) as sentinel:
        await until(sentinel)
        found = [one for one in await sentinel._examine() if one.check.startswith("site:")]
    assert [(one.check, one.subject, one.cause, one.remedy) for one in found] == [
        ("site:secrets:default", "lab/default", "VaultBackend: Vault is sealed", "Unseal it")
    ]


async def test_under_open_the_node_and_the_image_are_named(namespace: Namespace, tmp_path: Path) -> None:
    namespace.pod("lab-default-1")
    namespace.status("lab-default-1", WAITING_FOR_IMAGE)
    async with watching(namespace, tmp_path, policy=Policy.OPEN) as sentinel:
        report = await until(sentinel, "image_pull")
    assert "registry.example.com/site:1" in report.findings[0].evidence
