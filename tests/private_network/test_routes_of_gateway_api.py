"""The HTTPRoutes that Tradewind writes, held against the schema of Gateway API and its rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from private_network import gateway_api
from tradewind.gateway import manifests, settings

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="what reads Gateway API's rules needs Python 3.11"),
]


def routes(directory: Path, deployments: int) -> list[dict[str, Any]]:
    config = directory / "gateway.toml"
    config.write_text(
        'host = "k3.external.example.com"\n[tls]\ncertificate = "/c.pem"\nkey = "/c.key"\n[public]\nlisten = ":443"\n[deployments]\n'
        + "".join(
            f'd{number:02d} = ["http://api-1.sales:8080", "http://api-2.sales:8080"]\n'
            for number in range(deployments)
        )
    )
    document = json.loads(manifests.http_route(settings.read(config)))
    return list(document["items"]) if document["kind"] == "List" else [document]


@pytest.mark.parametrize("deployments", [1, 16, 17, 40])
def test_an_api_server_takes_the_route_of_every_deployment(tmp_path: Path, deployments: int) -> None:
    pytest.importorskip("cel", reason="`make cfn-lint` installs it")
    found = routes(tmp_path, deployments)
    assert [gateway_api.problems(one) for one in found] == [[]] * len(found)
    assert len({one["metadata"]["name"] for one in found}) == len(found) == -(-deployments // 16)
    paths = [rule["matches"][0]["path"]["value"] for one in found for rule in one["spec"]["rules"]]
    assert paths == [f"/d{number:02d}/remote-execution/v1" for number in range(deployments)]


def test_what_an_api_server_refuses_is_found(tmp_path: Path) -> None:
    pytest.importorskip("cel", reason="`make cfn-lint` installs it")
    [route] = routes(tmp_path, 1)
    [rule] = route["spec"]["rules"]
    rule["matches"].append({**rule["matches"][0], "method": "POST"})
    rule["timeout"] = "60s"
    rule["timeouts"]["request"] = "a minute"
    said = "\n".join(gateway_api.problems(route))
    assert "exactly one PathPrefix match must be specified" in said
    assert "'timeout' was unexpected" in said and "'a minute' does not match" in said
