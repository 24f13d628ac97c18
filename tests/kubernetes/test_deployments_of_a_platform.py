"""Scenario 23, level 2: a platform's Deployment in a real cluster, from create to purge, and an agent that runs its Dags."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support import directories
from support.cluster import Cluster, wait
from support.cluster_controller import NAMESPACE, NEW, OLD, install, make_volume
from support.cluster_platform import ClusterPlatform
from support.installed import ROOT, agent_settings
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import LocalProcess

DAGS = ROOT / "tests/platform/dags"
GATEWAY: dict[str, Any] = {
    "tlsSecret": "gateway-tls",
    "replicas": 1,
    "service": {"type": "ClusterIP"},
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="module")
def platform(cluster: Cluster, folder: Path) -> Iterator[ClusterPlatform]:
    """A platform, and the controller of this cluster from its chart."""
    made = ClusterPlatform(cluster, folder)
    try:
        made.start()
        made.add_cluster("lab")
        cluster.kubectl("create", "namespace", NAMESPACE)
        make_volume(cluster, folder / "backups")
        install(made, "lab", values={"backups": {"existingClaim": "backups"}, "gateway": GATEWAY})
        address = cluster.get("service", "tradewind-controller-gateway", "-n", NAMESPACE)
        made.name(address["spec"]["clusterIP"], f"{made.slug('lab')}.external.test")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def sales(platform: ClusterPlatform) -> dict[str, Any]:
    """A Deployment, made by the command."""
    made = platform.json("deployments", "create", "sales", "--cluster", "lab", "--version", OLD, "--wait")
    host = made["people_url"].removeprefix("https://")
    address = platform.cluster.get("service", "tradewind-controller-gateway", "-n", NAMESPACE)
    platform.name(address["spec"]["clusterIP"], host)
    return dict(made)


def test_scenario_23_a_deployment_in_a_cluster_is_healthy_when_create_returns(sales: dict[str, Any]) -> None:
    assert (sales["phase"], sales["health"], sales["health_reason"]) == ("running", "healthy", "")
    assert {one["status"] for one in sales["conditions"]} == {"true"}
    assert "ConfigApplied" in {one["type"] for one in sales["conditions"]}


class Site:
    """An agent of the Deployment, and what is asked of its Dags."""

    def __init__(self, platform: ClusterPlatform, sales: dict[str, Any], agent: Agent, gate: Path) -> None:
        self.platform, self.agent, self.gate = platform, agent, gate
        self.airflow = f"/v1/deployments/{sales['id']}/airflow/api/v2"

    def until(self, condition: Callable[[], bool], timeout: float = 240) -> None:
        wait(condition, timeout=timeout, what=lambda: self.agent.process.tail())

    def begin(self, dag: str, run: str) -> None:
        self.until(lambda: self.platform.ask("GET", f"{self.airflow}/dags/{dag}")[0] == 200)
        self.platform.ask("PATCH", f"{self.airflow}/dags/{dag}", {"is_paused": False})
        body = {"dag_run_id": run, "logical_date": None}
        begun = self.platform.ask("POST", f"{self.airflow}/dags/{dag}/dagRuns", body)
        assert begun[0] == 200, begun

    def state(self, dag: str, run: str) -> str:
        """Of a run; what the platform answers where there is none."""
        status, found = self.platform.ask("GET", f"{self.airflow}/dags/{dag}/dagRuns/{run}")
        return str(found["state"]) if status == 200 else f"status {status}"

    def tries(self, dag: str, run: str) -> list[tuple[str, int]]:
        """State and try of each task."""
        path = f"{self.airflow}/dags/{dag}/dagRuns/{run}/taskInstances"
        found = self.platform.ask("GET", path)[1]["task_instances"]
        return [(str(one["state"]), int(one["try_number"])) for one in found]

    def agents(self) -> list[str]:
        """The states of the Deployment's agents."""
        found = self.platform.json("--deployment", "sales", "agents", "list")["items"]
        return [one["state"] for one in found]


@pytest.fixture(scope="module")
def site(platform: ClusterPlatform, sales: dict[str, Any], folder: Path) -> Iterator[Site]:
    token, gate = folder / "agent-token", folder / "gate"
    platform.command("--deployment", "sales", "tokens", "create", "first", "--to-file", str(token))
    settings = agent_settings(
        home=folder / "agent",
        plane_url=sales["agent_url"],
        token=token.read_text().strip(),
        dags=DAGS,
        site={"SITE_GATE": str(gate)},
    )
    settings = replace(settings, options={"ca_file": str(platform.authority.file), **settings.options})
    agent = Agent(settings)
    agent.process = LocalProcess(
        "agent", platform.inside(*agent.process.command), env=agent.process.env, log=agent.process.log
    )
    with agent:
        yield Site(platform, sales, agent, gate)


def test_scenario_23_an_agent_runs_a_dag_through_the_gateway_of_the_cluster(site: Site) -> None:
    site.begin("sums", "first")
    site.until(lambda: site.state("sums", "first") in ("success", "failed"))
    assert site.state("sums", "first") == "success"


def test_scenario_4_the_gateway_of_the_cluster_serves_agents_their_api_and_nothing_else(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    base, _, slug = sales["agent_url"].rpartition("/")
    assert told(platform, f"{base}/") == "404 404 page not found"
    assert told(platform, f"{base}/{slug}/api/v2/version").startswith("404")
    assert told(platform, f"{base}/{slug}/remote-execution/v1/readyz").startswith("200")
    assert told(platform, f"{sales['people_url']}/remote-execution/v1/readyz").startswith("404")
    assert told(platform, f"{sales['people_url']}/api/v2/version").startswith("200")


def test_scenario_23_a_pod_of_a_deployment_reaches_dns_and_no_other_pod(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    """The node's own addresses are no part of this: what is sent there passes no forwarding, where the lab enforces."""
    namespace, cluster = f"tradewind-{sales['slug']}", platform.cluster
    (dns,) = cluster.pods("kube-system", **{"k8s-app": "kube-dns"})
    (gateway,) = cluster.pods(NAMESPACE, **{"app.kubernetes.io/component": "gateway"})
    script = (
        "import socket, sys\n"
        "for at in sys.argv[1:]:\n"
        "    host, port = at.split(':')\n"
        "    try: socket.create_connection((host, int(port)), 5); print(port, 'open')\n"
        "    except OSError: print(port, 'shut')\n"
    )
    said = cluster.kubectl(
        *("-n", namespace, "exec", f"deploy/{sales['slug']}-api-server", "--", "python", "-c", script),
        *(f"{dns['status']['podIP']}:53", f"{gateway['status']['podIP']}:8443"),
    )
    assert said.split("\n")[:2] == ["53 open", "8443 shut"]


def test_scenario_9_a_deployment_does_not_need_the_controller_or_the_platform_to_run(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    platform.cluster.kubectl("-n", NAMESPACE, "scale", "deployment/tradewind-controller", "--replicas=0")
    try:
        script = (
            f"import httpx; print(httpx.get('{sales['agent_url']}/remote-execution/v1/readyz').status_code)"
        )
        assert platform.run(sys.executable, "-c", script).strip() == "200"
        wait(
            lambda: platform.json("deployments", "get", "sales")["health"] == "unknown",
            timeout=120,
            what="the platform says that the controller is lost",
        )
    finally:
        platform.cluster.kubectl("-n", NAMESPACE, "scale", "deployment/tradewind-controller", "--replicas=1")
    wait(
        lambda: platform.json("deployments", "get", "sales")["health"] == "healthy",
        timeout=120,
        what=lambda: str(platform.json("deployments", "get", "sales")),
    )


def test_a_clean_up_recurs_and_deletes_old_runs_beside_the_pods_that_serve(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    site.begin("sums", "aged")
    site.until(lambda: site.state("sums", "aged") == "success")
    aged = "UPDATE dag_run SET start_date = start_date - interval '100 days' WHERE run_id = 'aged'"
    platform.cluster.database("psql", sales["slug"], "-c", aged)
    serving = pods(platform, sales)

    maintenance = ("deployments", "maintenance", "sales")
    platform.command(*maintenance, "--clean-up", "* * * * *", "--keep-rows-days", "30")

    def last() -> dict[str, Any]:
        return platform.json(*maintenance)["clean_up"]["last"] or {"state": "none"}

    site.until(lambda: last()["state"] not in ("none", "pending", "running"))
    found = last()
    platform.command(*maintenance, "--no-clean-up")
    site.until(lambda: last()["state"] not in ("pending", "running"))
    assert (found["state"], found["error"]) == ("succeeded", "")
    assert found["rows_by_table"]["dag_run"] == 1 and {"dag", "trigger"} <= set(found["skipped"])
    assert site.state("sums", "aged") == "status 404" and site.state("sums", "first") == "success"
    assert pods(platform, sales) == serving


def pods(platform: ClusterPlatform, sales: dict[str, Any]) -> list[str]:
    """Those that serve. The pod of the migration has ended, and its Job is kept with its log."""
    found = platform.cluster.pods(f"tradewind-{sales['slug']}")
    return [one["metadata"]["name"] for one in found if one["status"]["phase"] != "Succeeded"]


def runs(platform: ClusterPlatform) -> tuple[str, str, str]:
    """Phase, health and version. After an operation the health is unknown until the controller has looked."""
    found = platform.json("deployments", "get", "sales")
    return found["phase"], found["health"], found["version"]


def steps(platform: ClusterPlatform, sales: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the operation that began last."""
    listed = platform.ask("GET", f"/v1/operations?deployment={sales['id']}")[1]["items"]
    return list(listed[0]["steps"])


def evict(cluster: Cluster, namespace: str, pod: str) -> None:
    """As a node does that is drained."""
    asked = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
        "deleteOptions": {"gracePeriodSeconds": 1},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(asked))


def told(platform: ClusterPlatform, url: str) -> str:
    script = f"import httpx; a = httpx.get('{url}'); print(a.status_code, a.text)"
    return platform.run(sys.executable, "-c", script).strip()


def test_scenario_16_it_hibernates_when_its_task_has_ended_and_wakes_with_its_agent(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    site.begin("held", "asleep")
    site.until(lambda: site.tries("held", "asleep") == [("running", 1)])
    platform.command("deployments", "hibernate", "sales")
    site.until(lambda: any("waits for held.hold" in one["message"] for one in steps(platform, sales)))
    assert site.agents() == ["cordoned"] and len(pods(platform, sales)) == 2
    (before,) = [one for one in pods(platform, sales) if "api-server" in one]
    evict(platform.cluster, f"tradewind-{sales['slug']}", before)
    site.until(lambda: any("does not answer" in one["message"] for one in steps(platform, sales)))
    site.until(lambda: any("waits for held.hold" in one["message"] for one in steps(platform, sales)))
    assert before not in pods(platform, sales), "Kubernetes has started another one"
    site.gate.touch()
    site.until(lambda: platform.json("deployments", "get", "sales")["phase"] == "asleep")
    found = platform.json("deployments", "get", "sales")
    assert found["health"] == "asleep" and pods(platform, sales) == []
    answer = told(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")
    assert answer.startswith("503") and "deployment_hibernating" in answer
    site.until(lambda: "deployment_closed" in site.agent.process.log.read_text())

    platform.command("deployments", "wake-up", "sales", "--wait")
    took = wait(lambda: site.agents() == ["healthy"], timeout=60, what=lambda: site.agent.process.tail())
    print(f"\nthe agent was back {took:.0f} s after the wake-up")
    site.until(lambda: site.state("held", "asleep") == "success")
    site.until(lambda: platform.json("deployments", "get", "sales")["health"] == "healthy")
    site.gate.unlink()


def test_scenario_12_a_task_that_runs_survives_an_upgrade(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    site.begin("held", "upgraded")
    site.until(lambda: site.tries("held", "upgraded") == [("running", 1)])
    table = platform.command("deployments", "upgrade", "sales", "--to", NEW, "--dry-run")
    assert "refused" not in table and f"{OLD} → {NEW}" in table and "tradewind-plane:1" in table
    platform.command("deployments", "upgrade", "sales", "--to", NEW, "--wait")
    site.until(lambda: runs(platform) == ("running", "healthy", NEW))
    assert platform.ask("GET", f"{site.airflow}/version")[1]["version"] == NEW
    site.gate.touch()
    site.until(lambda: site.tries("held", "upgraded") == [("success", 1)])
    for step in steps(platform, sales):
        print(step["name"], step["started_at"], step["ended_at"])


def test_scenario_14_the_backup_of_the_upgrade_brings_back_version_and_runs(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    [backup] = platform.json("deployments", "backups", "list", "sales")["items"]
    assert (backup["state"], backup["version"]) == ("succeeded", OLD) and backup["size"] > 0
    site.begin("sums", "forgotten")
    site.until(lambda: site.state("sums", "forgotten") == "success")
    refused = platform.run(
        *(sys.executable, "-m", "tradewind", "deployments", "rollback", "sales", "--backup", backup["id"]),
        "--wait",
        fails=None,
    )
    assert refused.startswith("failed") and "1 runs since" in refused
    platform.command(
        *("deployments", "rollback", "sales", "--backup", backup["id"], "--accept-loss", "--wait")
    )
    assert platform.ask("GET", f"{site.airflow}/version")[1]["version"] == OLD
    assert site.state("sums", "forgotten") == "status 404" and site.state("sums", "first") == "success"
    site.until(lambda: runs(platform) == ("running", "healthy", OLD))


def test_scenario_11_an_upgrade_whose_controller_is_killed_again_and_again_ends_well(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    """At four of its steps. Another process of the controller goes on when the lease of the one before is over."""
    platform.command("deployments", "upgrade", "sales", "--to", NEW)

    def state(name: str) -> str:
        return next((one["state"] for one in steps(platform, sales) if one["name"] == name), "")

    met = {}
    for name in ("stop", "back up", "migrate", "start API server"):
        site.until(lambda name=name: state(name) not in ("", "pending"), timeout=400)  # type: ignore[misc]
        (controller,) = platform.cluster.pods(NAMESPACE, **{"app.kubernetes.io/component": "controller"})
        platform.cluster.kill_container(controller)
        met[name] = state(name)
    print(f"\nthe controller was killed when these steps were: {met}")
    site.until(lambda: runs(platform) == ("running", "healthy", NEW), timeout=600)
    assert {one["state"] for one in steps(platform, sales)} == {"succeeded"}
    (first, second) = platform.json("deployments", "backups", "list", "sales")["items"]
    assert {first["state"], second["state"]} == {"succeeded"} and first["id"] != second["id"]
    site.begin("sums", "after")
    site.until(lambda: site.state("sums", "after") == "success")
    restarts = platform.cluster.pods(NAMESPACE, **{"app.kubernetes.io/component": "controller"})[0]
    assert restarts["status"]["containerStatuses"][0]["restartCount"] >= 3


def test_scenario_17_a_deleted_deployment_is_restored_with_its_data_and_purged_with_nothing_left(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    namespace = f"tradewind-{sales['slug']}"
    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    wait(lambda: pods(platform, sales) == [], timeout=120, what=lambda: str(pods(platform, sales)))
    platform.command("deployments", "restore", "sales", "--wait")
    tokens = platform.json("--deployment", "sales", "tokens", "list")["items"]
    assert [one["name"] for one in tokens] == ["first"]

    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    platform.command("deployments", "purge", "sales", "--yes", "--wait")
    wait(
        lambda: "NotFound" in platform.cluster.kubectl("get", "namespace", namespace, check=False),
        timeout=180,
        what="its namespace is gone",
    )
    databases = platform.cluster.database("psql", "-lqt", "postgres")
    assert sales["slug"] not in databases
