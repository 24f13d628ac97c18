"""`private_network.gateway_api` refuses what a real API server with the same schema refuses, and nothing else."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from private_network import gateway_api
from private_network.test_routes_of_gateway_api import routes
from support.patience import eventually

from .api_server import ApiServer

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="what reads Gateway API's rules needs Python 3.11"
)

GROUP = "gateway.networking.k8s.io"
CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda rule: None,
    "two matches": lambda rule: rule["matches"].append({**rule["matches"][0], "method": "POST"}),
    "a path that is none": lambda rule: rule["matches"][0]["path"].update(value="d1"),
    "an unknown field": lambda rule: rule.update(timeout="60s"),
    "a wrong duration": lambda rule: rule["timeouts"].update(request="a minute"),
    "a Service without a port": lambda rule: rule["backendRefs"][0].pop("port"),
}


@pytest.fixture(scope="module")
def gateway(server: ApiServer) -> ApiServer:
    """With HTTPRoutes."""
    version = {"name": "v1", "served": True, "storage": True}
    schema = {"openAPIV3Schema": json.loads(gateway_api.KEPT.read_text())}
    schema["openAPIV3Schema"]["properties"]["metadata"] = {"type": "object"}
    server.make(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"httproutes.{GROUP}",
                "annotations": {
                    "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"
                },
            },
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {"kind": "HTTPRoute", "plural": "httproutes"},
                "versions": [{**version, "schema": schema}],
            },
        },
    )
    eventually(
        lambda: server.admin.get(f"/apis/{GROUP}/v1/httproutes").status_code == 200,
        timeout=60,
        what="the API server knows HTTPRoutes",
    )
    return server


@pytest.mark.parametrize("change", CHANGES)
def test_both_take_the_same_routes(gateway: ApiServer, tmp_path: Path, change: str) -> None:
    pytest.importorskip("cel", reason="`make cfn-lint` installs it")
    [route] = copy.deepcopy(routes(tmp_path, 1))
    CHANGES[change](route["spec"]["rules"][0])
    answer = gateway.admin.post(
        f"/apis/{GROUP}/v1/namespaces/default/httproutes?fieldValidation=Strict&dryRun=All", json=route
    )
    found = gateway_api.problems(route)
    assert (answer.status_code == 201) == (found == []) == (change == "nothing"), (answer.text, found)
