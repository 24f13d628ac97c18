"""Scenario 23, level 2: a platform's Deployment in a real cluster, from create to purge, and an agent that runs a Dag."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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
    names = [{"ip": NODE_IP, "hostnames": ["platform.test"]}]
    cluster.helm(
        *("upgrade", "--install", "tradewind-controller", str(CONTROLLER), "-n", NAMESPACE),
        values={
            "image": {"repository": "localhost/tradewind-controller", "tag": "1"},
            "platform": {"url": platform.url, "existingSecret": "token", "caSecret": "authority"},
            "plane": {
                "image": {"repository": "localhost/tradewind-plane", "tag": "1"},
                "values": {
                    "apiServer": {"replicas": 1, "resources": SMALL},
                    "scheduler": {"replicas": 1, "resources": SMALL},
                    "migration": {"resources": SMALL},
                    "pods": {"hostAliases": names},
                },
            },
            "database": {"existingSecret": "database", "cidrs": [f"{NODE_IP}/32"]},
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


@pytest.fixture(scope="module")
def sales(platform: ClusterPlatform) -> dict[str, Any]:
    """A Deployment, made by the command."""
    made = platform.json("deployments", "create", "sales", "--cluster", "lab", "--wait")
    host = made["people_url"].removeprefix("https://")
    address = platform.cluster.get("service", "tradewind-controller-gateway", "-n", NAMESPACE)
    with platform.hosts.open("a") as hosts:
        hosts.write(f"{address['spec']['clusterIP']} {host}\n")
    return dict(made)


def test_scenario_23_a_deployment_in_a_cluster_is_healthy_when_create_returns(sales: dict[str, Any]) -> None:
    assert (sales["phase"], sales["health"], sales["health_reason"]) == ("running", "healthy", "")
    assert {one["status"] for one in sales["conditions"]} == {"true"}
    assert "ConfigApplied" in {one["type"] for one in sales["conditions"]}


def test_scenario_23_an_agent_runs_a_dag_through_the_gateway_of_the_cluster(
    platform: ClusterPlatform, sales: dict[str, Any], folder: Path
) -> None:
    token = folder / "agent-token"
    platform.command("--deployment", "sales", "tokens", "create", "first", "--to-file", str(token))
    settings = agent_settings(
        home=folder / "agent", plane_url=sales["agent_url"], token=token.read_text().strip(), dags=DAGS
    )
    settings = replace(settings, options={"ca_file": str(platform.authority.file), **settings.options})
    agent = Agent(settings)
    agent.process = LocalProcess(
        "agent", platform.inside(*agent.process.command), env=agent.process.env, log=agent.process.log
    )
    airflow = f"/v1/deployments/{sales['id']}/airflow/api/v2"
    with agent:
        wait(
            lambda: platform.ask("GET", f"{airflow}/dags/sums")[0] == 200,
            timeout=240,
            what=lambda: agent.process.tail(),
        )
        platform.ask("PATCH", f"{airflow}/dags/sums", {"is_paused": False})
        begun = platform.ask(
            "POST", f"{airflow}/dags/sums/dagRuns", {"dag_run_id": "first", "logical_date": None}
        )
        assert begun[0] == 200, begun

        def state() -> str:
            return str(platform.ask("GET", f"{airflow}/dags/sums/dagRuns/first")[1]["state"])

        wait(lambda: state() in ("success", "failed"), timeout=240, what=lambda: agent.process.tail())
        assert state() == "success"


def test_scenario_4_the_gateway_of_the_cluster_serves_agents_their_api_and_nothing_else(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    base, _, slug = sales["agent_url"].rpartition("/")

    def told(url: str) -> str:
        script = f"import httpx; a = httpx.get('{url}'); print(a.status_code, a.text)"
        return platform.run(sys.executable, "-c", script).strip()

    assert told(f"{base}/") == "404 404 page not found"
    assert told(f"{base}/{slug}/api/v2/version").startswith("404")
    assert told(f"{base}/{slug}/remote-execution/v1/readyz").startswith("200")
    assert told(f"{sales['people_url']}/remote-execution/v1/readyz").startswith("404")
    assert told(f"{sales['people_url']}/api/v2/version").startswith("200")


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


def test_scenario_17_a_deleted_deployment_is_restored_with_its_data_and_purged_with_nothing_left(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    namespace = f"tradewind-{sales['slug']}"
    platform.command("deployments", "delete", "sales", "--yes", "--wait")

    def running() -> list[str]:
        """The pod of the migration has ended, and its Job is kept with its log."""
        pods = platform.cluster.pods(namespace)
        return [one["metadata"]["name"] for one in pods if one["status"]["phase"] != "Succeeded"]

    wait(lambda: running() == [], timeout=120, what=lambda: str(running()))
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
