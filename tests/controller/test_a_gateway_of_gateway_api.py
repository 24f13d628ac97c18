"""Routes of Gateway API are opened and closed: against a real API server with Gateway API's own resources.

No gateway runs here. What one answers follows from the routes and grants that the cluster has (`Front`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from controller.conftest import (
    VALUES,
    Airflow,
    Cluster,
    FakeDatabases,
    Lab,
    lab_of,
    namespace_of,
    new_document,
)
from sentinel.api_server import BINARIES
from support.patience import eventually
from tradewind_platform.domain.health import Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import Document, StepWaits

RESOURCES = BINARIES.parent / "gateway-api"
API = "/apis/gateway.networking.k8s.io"
ANSWERS = "10.9.8.7"
"""The pod of the chart's gateway."""


@dataclass
class Front(Airflow):
    """A gateway of Gateway API, and the chart's own, which answers for closed Deployments."""

    has_read: bool = True
    """The chart's gateway has read its configuration since it was changed last."""
    leads: list[str] = field(default_factory=list)
    """Which Service the route of each request led to."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == ANSWERS:
            assert (request.url.scheme, request.url.port) == ("http", 8443)
            return self._closed(request.url.path) if self.has_read else httpx.Response(404)
        if request.url.host == "c2345abc.external.example.com":
            return self._by_route(request)
        return super().__call__(request)

    def _by_route(self, request: httpx.Request) -> httpx.Response:
        for route in self.cluster.get(f"{API}/v1/httproutes")["items"]:
            for rule in route["spec"]["rules"]:
                paths = [one["path"]["value"] for one in rule["matches"]]
                if request.headers["host"] in route["spec"]["hostnames"] and any(
                    request.url.path.startswith(f"{one}/") for one in paths
                ):
                    return self._led(request, route, rule)
        return httpx.Response(404)

    def _led(self, request: httpx.Request, route: Any, rule: Any) -> httpx.Response:
        (backend,) = rule["backendRefs"]
        home = route["metadata"]["namespace"]
        self.leads.append(backend["name"])
        if backend.get("namespace", home) == home:
            assert rule["filters"][0]["type"] == "URLRewrite"
            return httpx.Response(200 if self._replicas(home, f"{backend['name']}-api-server") else 503)
        granted = self.cluster.get(f"{API}/v1beta1/namespaces/{backend['namespace']}/referencegrants")[
            "items"
        ]
        if home not in {one["namespace"] for grant in granted for one in grant["spec"]["from"]}:
            return httpx.Response(500)
        return self._closed(request.url.path)

    def _closed(self, path: str) -> httpx.Response:
        route = self.routes().get(path.split("/")[1])
        if route is None or not route.closed:
            return httpx.Response(404)
        return httpx.Response(503, json={"detail": {"reason": f"deployment_{route.closed}"}})


@pytest.fixture(scope="module")
def its_cluster(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With Gateway API, and another controller, whose Deployments have such routes."""
    if not RESOURCES.exists():
        pytest.skip(f"no {RESOURCES}: `make kubernetes` fetches it")
    for plural in ("httproutes", "referencegrants"):
        crd = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.gateway.networking.k8s.io"
        answer = cluster.server.admin.patch(
            crd,
            content=(RESOURCES / f"gateway.networking.k8s.io_{plural}.yaml").read_text(),
            params={"fieldManager": "tests"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.status_code in (200, 201), answer.text
    admin = cluster.server.admin
    for path in ("v1/httproutes", "v1beta1/referencegrants"):
        eventually(lambda: admin.get(f"{API}/{path}").is_success, timeout=60, what=path)  # noqa: B023
    made = Cluster(cluster.server, tmp_path_factory.mktemp("gateway-api"), own="tradewind-api")
    gateway = {
        **{name: VALUES["gateway"][name] for name in ("agentsHost", "peopleDomain")},
        "kind": "httpRoute",
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
    }
    made.install({**VALUES, "gateway": gateway})
    pods = f"/api/v1/namespaces/{made.own}/pods"
    template = made.get(f"/apis/apps/v1/namespaces/{made.own}/deployments/{made.release}-gateway")["spec"][
        "template"
    ]
    cluster.server.make(f"/api/v1/namespaces/{made.own}/serviceaccounts", {"metadata": {"name": "default"}})
    cluster.server.make(
        pods, {"metadata": {"name": "answers", **template["metadata"]}, "spec": template["spec"]}
    )
    status = {"status": {"phase": "Running", "podIP": ANSWERS, "podIPs": [{"ip": ANSWERS}]}}
    answer = cluster.server.admin.patch(
        f"{pods}/answers/status",
        content=json.dumps(status),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text
    yield made


@pytest.fixture
def its_lab(its_cluster: Cluster) -> Lab:
    lab = lab_of(Lab, its_cluster, FakeDatabases(), answers=Front)
    lab.driver.prepare()
    return lab


def front(lab: Lab) -> Front:
    assert isinstance(lab.airflow, Front)
    return lab.airflow


def ask(lab: Lab, document: Document) -> httpx.Response:
    """As an agent does."""
    url = f"{document.agent_url}/remote-execution/v1/readyz"
    with httpx.Client(transport=httpx.MockTransport(front(lab))) as client:
        return client.get(url)


def routes(lab: Lab, document: Document) -> list[Any]:
    return list(lab.cluster.get(f"{API}/v1/namespaces/{namespace_of(document)}/httproutes")["items"])


def test_scenario_16_a_route_of_gateway_api_says_why_it_is_closed_and_is_opened_again(its_lab: Lab) -> None:
    document = new_document()
    its_lab.done(Kind.CREATE, document, times=2)
    assert {one.status for one in its_lab.driver.observe(document)} == {Status.TRUE}
    assert ask(its_lab, document).status_code == 200

    its_lab.done(Kind.HIBERNATE, document, times=2)
    answer = ask(its_lab, document)
    assert (answer.status_code, answer.json()["detail"]["reason"]) == (503, "deployment_hibernating")

    its_lab.done(Kind.WAKE, document, times=2)
    assert ask(its_lab, document).status_code == 200
    assert {one.status for one in its_lab.driver.observe(document)} == {Status.TRUE}


def test_a_route_is_led_to_the_answer_once_that_is_given(its_lab: Lab) -> None:
    """An agent that met a gateway without the answer would take it for a wrong address."""
    document = new_document()
    its_lab.done(Kind.CREATE, document)
    front(its_lab).has_read = False
    with pytest.raises(StepWaits, match=rf"{ANSWERS}:8443 \(status 404\) does not say yet"):
        its_lab.driver.apply("close for upgrade", document)
    assert ask(its_lab, document).status_code == 200 and front(its_lab).leads[-1] == document.slug
    front(its_lab).has_read = True
    its_lab.driver.apply("close for upgrade", document)
    assert ask(its_lab, document).json()["detail"]["reason"] == "deployment_upgrading"


def test_scenario_17_a_purge_leaves_no_route_no_grant_and_no_answer(its_lab: Lab) -> None:
    document = new_document()
    its_lab.done(Kind.CREATE, document)
    its_lab.done(Kind.HIBERNATE, document)
    assert len(routes(its_lab, document)) == 2 and document.slug in front(its_lab).routes()
    its_lab.done(Kind.DELETE, document, times=2)
    assert routes(its_lab, document) == [] and ask(its_lab, document).status_code == 404
    its_lab.done(Kind.PURGE, document)
    granted = its_lab.cluster.get(f"{API}/v1beta1/namespaces/{its_lab.cluster.own}/referencegrants")["items"]
    assert document.slug not in json.dumps(granted) and document.slug not in front(its_lab).routes()
