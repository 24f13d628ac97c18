"""Scenario 23, level 2: a platform's Deployment in a real cluster, from create to purge, and an agent that runs its Dags."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support import directories
from support.charts import CONTROLLER
from support.cluster import NODE_IP, Cluster, wait
from support.cluster_platform import ClusterPlatform
from support.installed import ROOT, agent_settings
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import LocalProcess

NAMESPACE = "tradewind"
SMALL = {"requests": {"cpu": "50m", "memory": "256Mi"}}
DAGS = ROOT / "tests/platform/dags"
OLD, NEW = "3.3.0", "3.3.2"


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
        install(made)
        yield made
    finally:
        made.stop()


def install(platform: ClusterPlatform) -> None:
    cluster, token = platform.cluster, platform.folder / "cluster-token"
    platform.command(
        *(
            "clusters",
            "add",
            "lab",
            "--agents-host",
            "{id}.external.test",
            "--people-domain",
            "{id}.apps.test",
        ),
        *("--to-file", str(token)),
    )
    slug = platform.json("clusters", "get", "lab")["slug"]
    certificate, key = platform.authority.certificate(f"{slug}.external.test", f"*.{slug}.apps.test")
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.make_secret(NAMESPACE, "database", url=f"postgresql://airflow@{NODE_IP}:5432/postgres")
    cluster.make_secret(NAMESPACE, "token", token=token.read_text().strip())
    cluster.make_secret(NAMESPACE, "authority", ca_crt=platform.authority.file.read_text())
    cluster.kubectl(
        *("-n", NAMESPACE, "create", "secret", "tls", "gateway-tls", f"--cert={certificate}", f"--key={key}")
    )
    make_volume(cluster, platform.folder / "backups")
    names = [{"ip": NODE_IP, "hostnames": ["platform.test"]}]
    cluster.helm(
        *("upgrade", "--install", "tradewind-controller", str(CONTROLLER), "-n", NAMESPACE),
        values={
            "image": {"repository": "localhost/tradewind-controller", "tag": "1"},
            "platform": {"url": platform.url, "existingSecret": "token", "caSecret": "authority"},
            "plane": {
                "image": {"repository": "localhost/tradewind-plane", "tag": "1"},
                "version": NEW,
                "versions": {OLD: {"repository": "localhost/tradewind-plane-oldest", "tag": "1"}},
                "values": {
                    "apiServer": {"replicas": 1, "resources": SMALL},
                    "scheduler": {"replicas": 1, "resources": SMALL},
                    "migration": {"resources": SMALL},
                    "pods": {"hostAliases": names},
                },
            },
            "database": {"existingSecret": "database", "cidrs": [f"{NODE_IP}/32"]},
            "backups": {"existingClaim": "backups"},
            "gateway": {
                "agentsHost": f"{slug}.external.test",
                "peopleDomain": f"{slug}.apps.test",
                "tlsSecret": "gateway-tls",
                "replicas": 1,
                "service": {"type": "ClusterIP"},
            },
            "extraEgress": [
                {"ports": [{"port": 8700, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": f"{NODE_IP}/32"}}]}
            ],
            "pods": {"hostAliases": names},
        },
    )
    wait(
        lambda: platform.json("clusters", "get", "lab")["controller"]["state"] == "connected",
        timeout=180,
        what=lambda: cluster.about(NAMESPACE),
    )
    address = cluster.get("service", "tradewind-controller-gateway", "-n", NAMESPACE)["spec"]["clusterIP"]
    with platform.hosts.open("a") as hosts:
        hosts.write(f"{address} {slug}.external.test\n")


def make_volume(cluster: Cluster, folder: Path) -> None:
    """A volume for backups, of the node's disk: the lab has nothing that makes one."""
    folder.mkdir()
    folder.chmod(0o770)  # of root's group, as the controller's user is
    size = {"storage": "1Gi"}
    claim = {"name": "backups", "namespace": NAMESPACE}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "backups"},
            "spec": {**common, "capacity": size, "hostPath": {"path": str(folder)}, "claimRef": claim},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {**common, "volumeName": "backups", "resources": {"requests": size}},
        },
    )


@pytest.fixture(scope="module")
def sales(platform: ClusterPlatform) -> dict[str, Any]:
    """A Deployment, made by the command."""
    made = platform.json("deployments", "create", "sales", "--cluster", "lab", "--version", OLD, "--wait")
    host = made["people_url"].removeprefix("https://")
    address = platform.cluster.get("service", "tradewind-controller-gateway", "-n", NAMESPACE)
    with platform.hosts.open("a") as hosts:
        hosts.write(f"{address['spec']['clusterIP']} {host}\n")
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
    """Those that run. The pod of the migration has ended, and its Job is kept with its log."""
    found = platform.cluster.pods(f"tradewind-{sales['slug']}")
    return [one["metadata"]["name"] for one in found if one["status"]["phase"] != "Succeeded"]


def runs(platform: ClusterPlatform) -> tuple[str, str, str]:
    """Phase, health and version. After an operation the health is unknown until the controller has looked."""
    found = platform.json("deployments", "get", "sales")
    return found["phase"], found["health"], found["version"]


def told(platform: ClusterPlatform, url: str) -> str:
    script = f"import httpx; a = httpx.get('{url}'); print(a.status_code, a.text)"
    return platform.run(sys.executable, "-c", script).strip()


def test_scenario_16_it_hibernates_when_its_task_has_ended_and_wakes_with_its_agent(
    platform: ClusterPlatform, sales: dict[str, Any], site: Site
) -> None:
    site.begin("held", "asleep")
    site.until(lambda: site.tries("held", "asleep") == [("running", 1)])
    platform.command("deployments", "hibernate", "sales")

    def steps() -> list[dict[str, Any]]:
        listed = platform.ask("GET", f"/v1/operations?deployment={sales['id']}")[1]["items"]
        return list(listed[0]["steps"])

    site.until(lambda: any("waits for held.hold" in one["message"] for one in steps()))
    assert site.agents() == ["cordoned"] and len(pods(platform, sales)) == 2
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
    listed = platform.ask("GET", f"/v1/operations?deployment={sales['id']}")[1]["items"]
    for step in listed[0]["steps"]:
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
