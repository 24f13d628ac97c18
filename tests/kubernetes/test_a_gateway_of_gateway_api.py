"""A Deployment behind a gateway of the Gateway API, which is not ours: served, closed with a reason, and served again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support import directories
from support.cluster import CACHE, CONTAINERD, LAB, Cluster, wait
from support.cluster_controller import NEW, install
from support.cluster_platform import ClusterPlatform
from tradewind_protocol.errors import Code, Refusal

OWN = "behind"
ASKED = """
import httpx, json, sys
answer = httpx.get(sys.argv[1])
print(json.dumps([answer.status_code, dict(answer.headers), answer.text]))
"""


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[ClusterPlatform]:
    """A platform, and a controller whose Deployments are served by that gateway."""
    if not (CACHE / "bin/traefik").exists():
        pytest.skip("no gateway of the Gateway API: `make gateway-api` builds one")
    with directories.short() as folder:
        made = ClusterPlatform(cluster, folder)
        try:
            made.start()
            made.add_cluster("routes")
            address = gateway(made, made.slug("routes"))
            agents = f"{made.slug('routes')}.external.test"
            made.name(address, agents)
            cluster.kubectl("create", "namespace", OWN)
            routes = {
                "kind": "httpRoute",
                "replicas": 1,
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}],
            }
            install(made, "routes", namespace=OWN, aliases={agents: address}, values={"gateway": routes})
            yield made
        finally:
            made.stop()


def gateway(platform: ClusterPlatform, slug: str) -> str:
    """The address of the gateway, which has a certificate for the names of the cluster."""
    cluster = platform.cluster
    certificate, key = platform.authority.certificate(f"{slug}.external.test", f"*.{slug}.apps.test")
    cluster.kubectl("create", "namespace", "gateways")
    files = (f"--cert={certificate}", f"--key={key}")
    cluster.kubectl("-n", "gateways", "create", "secret", "tls", "gateway-tls", *files)
    subprocess.run([LAB / "gateway"], check=True)
    return str(cluster.get("service", "traefik", "-n", "gateways")["spec"]["clusterIP"])


@pytest.fixture(scope="module")
def sales(platform: ClusterPlatform) -> dict[str, Any]:
    made = dict(platform.json("deployments", "create", "sales", "--cluster", "routes", "--wait"))
    host = made["people_url"].removeprefix("https://")
    platform.name(
        str(platform.cluster.get("service", "traefik", "-n", "gateways")["spec"]["clusterIP"]), host
    )
    return made


def ask(platform: ClusterPlatform, url: str) -> tuple[int, dict[str, str], str]:
    status, headers, text = json.loads(platform.run(sys.executable, "-c", ASKED, url))
    return status, headers, text


def test_scenario_4_agents_and_people_are_served_by_routes_of_gateway_api(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    assert (sales["phase"], sales["health"]) == ("running", "healthy")
    base = sales["agent_url"].rpartition("/")[0]
    assert ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")[0] == 200
    assert ask(platform, f"{sales['people_url']}/api/v2/version")[0] == 200
    for nothing in (f"{base}/", f"{sales['agent_url']}/api/v2/version"):
        assert ask(platform, nothing)[0] == 404
    for theirs in ("remote-execution/v1/readyz", "execution/health"):
        assert ask(platform, f"{sales['people_url']}/{theirs}")[0] >= 400


def test_scenario_16_one_that_hibernates_says_so_in_the_form_of_the_protocol(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    platform.command("deployments", "hibernate", "sales", "--wait")
    status, headers, text = ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")
    refusal = Refusal.model_validate_json(text)
    assert (status, refusal.error, headers["retry-after"]) == (503, Code.UNAVAILABLE, "15")
    assert refusal.detail["reason"] == "deployment_hibernating"
    status, _, text = ask(platform, sales["people_url"])
    assert status == 503 and text.startswith("the Deployment hibernates")

    platform.command("deployments", "wake-up", "sales", "--wait")
    assert ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")[0] == 200


def test_scenario_27_an_image_that_was_pushed_is_deployed_by_its_digest_and_rolled_back(
    platform: ClusterPlatform, sales: dict[str, Any]
) -> None:
    cluster, path = platform.cluster, f"/v1/deployments/{sales['id']}/deploys"
    before = images(cluster, sales)
    listed = cluster.run(*CONTAINERD, "images", "ls", "name==localhost/tradewind-plane:1").split()
    (digest,) = [one for one in listed if one.startswith("sha256:")]
    image = f"localhost/tradewind-plane@{digest}"
    cluster.run(*CONTAINERD, "images", "tag", "--force", "localhost/tradewind-plane:1", image)
    assert platform.ask("POST", path, {"image": image, "airflow": NEW})[0] == 202
    ended(platform, sales)
    assert images(cluster, sales) == {image}
    assert ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")[0] == 200

    assert platform.ask("POST", f"{path}/roll-back", {})[0] == 202
    ended(platform, sales)
    assert images(cluster, sales) == before
    assert ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")[0] == 200


def images(cluster: Cluster, sales: dict[str, Any]) -> set[str]:
    """Of the pods that serve."""
    found = cluster.pods(f"tradewind-{sales['slug']}", **{"app.kubernetes.io/instance": sales["slug"]})
    serve = [one for one in found if one["status"]["phase"] == "Running"]
    return {one["spec"]["containers"][0]["image"] for one in serve}


def ended(platform: ClusterPlatform, sales: dict[str, Any]) -> None:
    """The last operation has succeeded."""

    def last() -> dict[str, Any]:
        listed = platform.ask("GET", f"/v1/operations?deployment={sales['id']}")[1]["items"]
        return dict(listed[0])

    wait(lambda: last()["state"] not in ("pending", "running"), timeout=900, what=lambda: str(last()))
    assert last()["state"] == "succeeded", last()


def test_scenario_17_a_purge_leaves_no_route(platform: ClusterPlatform, sales: dict[str, Any]) -> None:
    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    wait(
        lambda: ask(platform, f"{sales['agent_url']}/remote-execution/v1/readyz")[0] == 404,
        timeout=60,
        what="the gateway has no route any more",
    )
    platform.command("deployments", "purge", "sales", "--yes", "--wait")
    assert platform.cluster.get("referencegrants", "-n", OWN)["items"] == []
