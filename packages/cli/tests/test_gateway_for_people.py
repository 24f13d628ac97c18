"""The way for people: its settings, and the document of Caddy that follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import BadUsage
from tradewind.gateway import caddy, manifests
from tradewind.gateway.settings import GatewaySettings, read
from tradewind_protocol.errors import Code, Refusal

TLS = {"certificate": "/tls/cert.pem", "key": "/tls/key.pem"}
ONE = {"d7k2m9qa": ["http://10.0.3.11:8080"]}


def settings(**more: Any) -> GatewaySettings:
    fields = {"host": "k3.external.example.com", "tls": TLS, "public": {"listen": ":443"}, "deployments": ONE}
    return GatewaySettings.model_validate({**fields, "people": {"domain": "k3.example.com"}, **more})


def document(found: GatewaySettings) -> Any:
    return json.loads(json.dumps(caddy.document(found, Path("/state"))))


def test_a_deployment_has_a_name_of_its_own_without_what_agents_and_tasks_ask_for() -> None:
    servers = document(settings(people={"domain": "k3.example.com", "listen": ":8443"}))["apps"]["http"][
        "servers"
    ]
    route = servers["people"]["routes"][0]
    assert route["match"] == [{"host": ["d7k2m9qa.k3.example.com"]}]
    refused, passed = route["handle"][0]["routes"]
    assert refused["match"] == [{"path": ["/remote-execution/v1/*", "/execution/*"]}] and refused["terminal"]
    proxy = passed["handle"][-1]
    assert proxy["headers"]["request"]["set"] == {"X-Tradewind-Endpoint": ["public"]}
    assert servers["people"]["routes"][-1]["handle"][0]["status_code"] == 404


def test_one_port_serves_agents_and_people_by_name() -> None:
    servers = document(settings())["apps"]["http"]["servers"]
    assert list(servers) == ["public"]
    assert servers["public"]["routes"][0]["match"] == [{"host": ["d7k2m9qa.k3.example.com"]}]


def test_people_may_have_a_certificate_of_their_own() -> None:
    people = {
        "domain": "k3.example.com",
        "listen": ":8443",
        "tls": {"certificate": "/p.pem", "key": "/p.key"},
    }
    apps = document(settings(people=people))["apps"]
    assert [one["tags"] for one in apps["tls"]["certificates"]["load_files"]] == [["gateway"], ["people"]]
    policy = apps["http"]["servers"]["people"]["tls_connection_policies"][0]
    assert policy["certificate_selection"]["any_tag"] == ["people"]


def test_without_tls_the_gateway_listens_on_the_loopback_interface_only(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('host = "127.0.0.1"\n[public]\nlisten = ":8710"\n')
    with pytest.raises(
        BadUsage, match=r"without \[tls\] the gateway listens on 127.0.0.1 only, not at :8710"
    ):
        read(file)
    file.write_text('host = "127.0.0.1"\n[public]\nlisten = "127.0.0.1:8710"\n')
    apps = document(read(file))["apps"]
    assert "tls" not in apps and "tls_connection_policies" not in apps["http"]["servers"]["public"]


def test_a_gateway_that_only_says_what_is_closed_needs_no_tls_and_passes_nothing_on(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    start = 'host = "k3.example.com"\nonly_closed = true\n[public]\nlisten = ":8443"\n'
    file.write_text(f'{start}[deployments]\nd1 = ["http://d1:80"]\n[closed]\nd1 = "upgrading"\n')
    assert "reverse_proxy" not in json.dumps(document(read(file)))
    file.write_text(f'{start}[deployments]\nd1 = ["http://d1:80"]\n')
    with pytest.raises(BadUsage, match=r"only_closed is set, and d1 is not in \[closed\]"):
        read(file)


def test_a_certificate_that_would_not_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[people.tls\] would not be used"):
        settings(people={"domain": "k3.example.com", "tls": TLS})


@pytest.mark.parametrize("other", [manifests.nginx, manifests.haproxy])
def test_another_proxy_is_not_shown_what_it_would_not_serve(other: Any) -> None:
    with pytest.raises(BadUsage, match=r"\[people\] is served by Caddy only"):
        other(settings())


@pytest.mark.parametrize("reason", ["hibernating", "upgrading"])
def test_a_closed_deployment_is_answered_in_the_protocols_form_and_people_read_why(reason: str) -> None:
    routes = document(settings(closed={"d7k2m9qa": reason}))["apps"]["http"]["servers"]["public"]["routes"]
    people, agents = routes[0], next(one for one in routes if "vars_regexp" in one.get("match", [{}])[0])
    answer = agents["handle"][-1]
    refusal = Refusal.model_validate_json(answer["body"])
    assert (answer["status_code"], refusal.error) == (503, Code.UNAVAILABLE)
    assert refusal.detail["reason"] == f"deployment_{reason}"
    assert answer["headers"]["Retry-After"] == [str(refusal.detail["retry_after"])]
    assert refusal.message in people["handle"][0]["routes"][1]["handle"][0]["body"]
    assert "reverse_proxy" not in json.dumps(routes)


def test_only_a_deployment_that_has_a_route_can_be_closed() -> None:
    with pytest.raises(ValueError, match="dother22 is closed"):
        settings(closed={"dother22": "hibernating"})
