"""Each row of the table in docs/how-to/private-link.md, provoked in networks like the clouds', and named by the doctor."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import airflow_rest, directories, installed
from support.deployment import run_site
from support.lab.lab import ENDPOINT, ENDPOINTS, HOST, OTHER_CLUSTERS, PUBLIC, SILENT, URL, Lab, Rules
from support.lab.namespaces import unavailable
from support.patience import eventually, stretched
from tradewind.embedded.agent import Agent
from tradewind.errors import BadUsage
from tradewind.gateway import program
from tradewind_protocol import operator

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "private-link.md"
DAGS = Path(__file__).parent / "dags"


def missing() -> str:
    try:
        program.find(None)
    except BadUsage as error:
        return f"{error.message}: `make network` installs it"
    return unavailable()


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    if reason := missing():
        pytest.skip(reason)
    installed.environments()
    with directories.short() as directory:
        with Lab(directory, f"tw{directory.name[-6:]}", finished=True) as made:
            yield made


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """As at its beginning, whatever a test changes."""
    yield running
    for name, endpoint in ENDPOINTS.items():
        one = running.networks[name]
        if one.rules != Rules():
            running.route(name, Rules())
        if one.zone != ENDPOINT:
            running.link_zone(name)
        if (one.endpoint, one.exists, one.approved) != (endpoint, True, True):
            running.create_endpoint(name, endpoint)
            running.approve_endpoint(name)
    if running.peered_zone != ENDPOINT:
        running.link_zone("peered")
    allow(running)


def allow(lab: Lab, *endpoints: str, private_only: bool = False, force: bool = True) -> Any:
    """Set the Deployment's list of private endpoints and the switch; without any, agents may connect by every way."""
    asked = operator.SetAllowedAddresses(
        networks=(),
        endpoints=tuple(operator.AllowedEndpoint(endpoint=one) for one in endpoints),
        private_only=private_only,
        force=force,
    )
    with lab.plane.client() as http:
        return http.put(
            "/tradewind/v1/allowed-addresses",
            content=asked.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )


@dataclass(frozen=True)
class Row:
    """What goes wrong, and the check that names it."""

    title: str  # as the page's table has it
    provoke: Callable[[Lab], object]
    check: str
    evidence: str
    remedy: str
    site: str = "site-a"
    options: tuple[str, ...] = ()
    verdict: str = "failed"


ROWS = (
    Row(
        "The endpoint is not approved yet",
        lambda lab: lab.approve_endpoint("a", False),
        "tcp",
        "no answer within",
        "has not approved the endpoint yet",
    ),
    Row(
        "The endpoint was deleted",
        lambda lab: lab.delete_endpoint("a"),
        "tcp",
        "No route to host|no answer within",
        "private endpoint",
    ),
    Row(
        "The zone is not linked: a public address",
        lambda lab: lab.link_zone("b", "none"),
        "name",
        f"not private: {PUBLIC}; 10.20.1.2 says {PUBLIC}",
        "Link this network to the private DNS zone",
        site="site-b",
    ),
    Row(
        "The zone has no record: no such name",
        lambda lab: lab.link_zone("b", "empty"),
        "name",
        f"{HOST} has no address: .*10.20.1.2 says no such name",
        "whether it has a record of this name",
        site="site-b",
    ),
    Row(
        "The record is of another cluster",
        lambda lab: lab.link_zone("a", OTHER_CLUSTERS),
        "tls",
        "for another name.*it is for k4.external.example.com",
        "leads to that cluster's endpoint",
    ),
    Row(
        "The security group is closed",
        lambda lab: lab.route("a", Rules(closed=True)),
        "tcp",
        "no answer within",
        "security group",
    ),
    Row(
        "One of the endpoint's addresses does not answer",
        lambda lab: lab.link_zone("a", f"{ENDPOINT},{SILENT}"),
        "tcp",
        f"answers at {ENDPOINT} in [0-9]+ ms; {SILENT}: no answer within",
        f"Agents use the other addresses.*outbound TCP 443 to {SILENT}, and inbound on .* security group",
        verdict="warning",
    ),
    Row(
        "The certificate is for another name",
        lambda lab: lab.serve(names="gateway.internal.example.com"),
        "tls",
        "for another name.*it is for gateway.internal.example.com",
        "the plane's owner has to correct the gateway's certificate",
    ),
    Row(
        "A company's authority intercepts TLS",
        lambda lab: lab.route("a", Rules(intercept=True)),
        "tls",
        "is not trusted.*issued by Example Corp TLS inspection",
        "have it leave out the plane's name",
    ),
    Row(
        "Idle connections are dropped",
        lambda lab: lab.route("a", Rules(idle=6)),
        "idle",
        "dropped in silence after [2-6] to [4-8] s",
        "Raise the idle time-out",
        options=("--long", "16"),
    ),
    Row(
        "Large packets are lost",
        lambda lab: lab.route("a", Rules(mtu=1300)),
        "mtu",
        "packets of full size are lost in silence; with packets of 1280 bytes",
        "ip link set dev <interface> mtu 1280",
    ),
    Row(
        "The list has not this endpoint",
        lambda lab: allow(lab, ENDPOINTS["b"]),
        "allow-list",
        f"by the private endpoint {re.escape(ENDPOINTS['a'])} \\(from 10.20.1.10\\)",
        f"tradewind private-endpoints add {re.escape(ENDPOINTS['a'])}",
    ),
    Row(
        "The public way is shut",
        lambda lab: allow(lab, *ENDPOINTS.values(), private_only=True),
        "allow-list",
        "by private endpoints only, and this request came the public way \\(from 20.60.0.10\\)",
        "let the plane's name lead to your private endpoint",
        site="site-c",
        options=("--no-private",),
    ),
)
"""Beside the two rows that `test_an_endpoint_is_deleted_under_load` and `test_the_public_way_is_shut_while_agents_use_it` have."""


def test_the_page_has_these_rows() -> None:
    section = PAGE.read_text().partition("## What can be wrong")[2].partition("\n## ")[0]
    titles = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][1:]
    assert titles == [
        "Nothing",
        *(row.title for row in ROWS),
        "The endpoint is deleted under load, and a new one is made",
        "The public way is shut while agents use it",
    ]


@pytest.mark.parametrize("site", ["site-a", "site-b", "peered"])
def test_nothing_is_wrong(lab: Lab, site: str) -> None:
    """Two networks with the same addresses, and one that shares the first's endpoint."""
    allow(lab, *ENDPOINTS.values(), private_only=True)
    found = lab.doctor(site, "--public-resolver", "20.53.0.53")
    way = (
        "name",
        "route",
        "tcp",
        "tls",
        "host",
        "plane",
        "token",
        "deployment",
        "allow-list",
        "versions",
        "mtu",
    )
    assert {each: found[each]["verdict"] for each in way} == dict.fromkeys(way, "ok"), found
    resolver = "10.30.1.2" if site == "peered" else "10.20.1.2"
    assert f"{resolver} says {ENDPOINT}; outside, 20.53.0.53 says {PUBLIC}" in found["name"]["evidence"]
    order = [each for each in found if each in way]
    assert order == list(way), "the order in which a network engineer would look"
    said = lab.ask(
        site, "curl", "-sS", "-m", "20", "-w", " %{content_type}", f"https://{HOST}/", check=True
    ).stdout
    assert said == "404 page not found text/plain; charset=utf-8"


@pytest.mark.parametrize("row", ROWS, ids=[re.sub(r"\W+", "_", row.title).lower() for row in ROWS])
def test_the_doctor_names_the_fault(lab: Lab, row: Row) -> None:
    try:
        row.provoke(lab)
        options = [each for each in row.options if each != "--no-private"]
        found = lab.doctor(row.site, *options, private="--no-private" not in row.options)
    finally:
        if row.title.startswith("The certificate"):
            lab.serve()
    check = found[row.check]
    assert check["verdict"] == row.verdict, found
    assert re.search(row.evidence, check["evidence"]), check
    assert re.search(row.remedy, check["remedy"]), check
    before = list(found)[1 : list(found).index(row.check)]
    wrong = [each for each in before if found[each]["verdict"] == "failed"]
    assert wrong in ([], ["tls"] if row.check == "mtu" else []), found


def test_an_address_in_two_networks_is_told_apart_by_its_endpoint(lab: Lab) -> None:
    allow(lab, ENDPOINTS["a"])
    assert lab.doctor("site-a")["allow-list"]["verdict"] == "ok"
    refused = lab.doctor("site-b")["allow-list"]
    assert refused["verdict"] == "failed" and f"{ENDPOINTS['b']} (from 10.20.1.10)" in refused["evidence"]


@pytest.mark.parametrize(
    "endpoint", ["aws:vpce-0123456789abcdef0", "azure:16909060", "gcp:18446744072637906946"]
)
def test_the_endpoint_of_each_cloud_is_enforced_and_named(lab: Lab, endpoint: str) -> None:
    lab.create_endpoint("a", endpoint)
    lab.approve_endpoint("a")
    allow(lab, endpoint, private_only=True)
    assert lab.doctor("site-a")["allow-list"]["verdict"] == "ok"
    allow(lab, ENDPOINTS["b"], private_only=True)
    refused = lab.doctor("site-a")["allow-list"]
    assert f"the private endpoint {endpoint} (from 10.20.1.10)" in refused["evidence"]
    assert f"tradewind private-endpoints add {endpoint}" in refused["remedy"]


@pytest.mark.parametrize("site", ["site-a", "site-c"])
def test_a_site_cannot_claim_another_endpoint(lab: Lab, site: str) -> None:
    allow(lab, ENDPOINTS["b"], private_only=True)
    token = (lab.site(site) / "token").read_text()
    forged = ["-H", f"X-Tradewind-Endpoint: {ENDPOINTS['b']}", "-H", "X-Forwarded-For: 127.0.0.1"]
    said = lab.ask(
        site,
        *("curl", "-sS", "-m", "20", *forged, "-H", f"Authorization: Bearer {token}"),
        f"{URL}/remote-execution/v1/token",
    ).stdout
    assert "address_not_allowed" in said, said


# ---- agents


def agent_at(lab: Lab, site: str, name: str, **more: Any) -> run_site:
    made = run_site(
        lab.directory / name,
        lab.plane,
        name=name,
        dags=DAGS,
        bundle=name,
        queues=["lab"],
        plane_url=URL,
        options={"ca_file": str(lab.authority.file), "grace": 5},
        **more,
    )
    made.agent.process.command = [*lab.spaces.command(site), *made.agent.process.command]
    return made


def network_of(lab: Lab, name: str) -> dict[str, Any]:
    with lab.plane.client() as http:
        found = http.get("/tradewind/v1/agents", params={"name": name}).json()["items"]
    return dict(found[0]) if found else {}


def says(agent: Agent, words: str) -> bool:
    return words in agent.process.log.read_text()


def test_held_polls_of_a_removed_endpoint_end_in_seconds(lab: Lab) -> None:
    allow(lab, *ENDPOINTS.values())
    with agent_at(lab, "site-b", "removed", components=["worker"]) as (agent, _):
        eventually(
            lambda: network_of(lab, "removed").get("state") == "healthy",
            timeout=60,
            what=lambda: agent.process.tail(),
        )
        changed = time.monotonic()
        assert allow(lab, ENDPOINTS["a"]).is_success
        eventually(lambda: says(agent, "address_refused"), timeout=10, what=lambda: agent.process.tail())
        assert time.monotonic() - changed < stretched(8), (
            "a held poll is answered within 25 s, and this one sooner"
        )
        allow(lab, *ENDPOINTS.values())


def test_an_agent_uses_the_address_that_answers(lab: Lab) -> None:
    lab.link_zone("a", f"{SILENT},{ENDPOINT}")
    allow(lab, *ENDPOINTS.values(), private_only=True)
    with agent_at(lab, "site-a", "halved", components=["worker"]) as (agent, _):
        eventually(
            lambda: network_of(lab, "halved").get("state") == "healthy",
            timeout=60,
            what=lambda: agent.process.tail(),
        )
        assert not says(agent, "poll_failed")


def test_the_public_way_is_shut_while_agents_use_it(lab: Lab) -> None:
    allow(lab)
    with agent_at(lab, "site-c", "public", components=["worker"]) as (agent, _):
        eventually(
            lambda: network_of(lab, "public").get("state") == "healthy",
            timeout=60,
            what=lambda: agent.process.tail(),
        )
        refused = allow(lab, *ENDPOINTS.values(), private_only=True, force=False)
        assert refused.status_code == 409 and "public" in refused.json()["message"], refused.text
        assert allow(lab, *ENDPOINTS.values(), private_only=True).is_success
        eventually(lambda: says(agent, "address_refused"), timeout=15, what=lambda: agent.process.tail())
        assert says(agent, "by private endpoints only") and says(agent, "doctor --expect-private")
        allow(lab)


def test_an_endpoint_is_deleted_under_load(lab: Lab) -> None:
    """Tasks run on; what they did is reported through the new endpoint. Nothing is lost, and no retry is used."""
    allow(lab, *ENDPOINTS.values(), private_only=True)
    new = "aws:vpce-0123456789abcdef0"
    with agent_at(lab, "site-a", "loaded") as (agent, site), lab.plane.client() as http:
        rest = airflow_rest.AirflowRest(http)
        rest.wait_for_dags(["lab_load"], timeout=stretched(90))
        runs = [rest.trigger("lab_load") for _ in range(3)]
        journal = site / "journal"
        eventually(lambda: journal.exists(), timeout=90, what=lambda: agent.process.tail())
        assert network_of(lab, "loaded")["endpoint"] == ENDPOINTS["a"]
        lab.delete_endpoint("a")
        eventually(lambda: says(agent, "poll_failed"), timeout=60, what=lambda: agent.process.tail())
        lab.create_endpoint("a", new)
        assert allow(lab, new, ENDPOINTS["b"], private_only=True).is_success
        lab.approve_endpoint("a")
        for each in runs:
            done = rest.wait_for_run("lab_load", each, timeout=stretched(120))
            assert done.state == "success", (done, agent.process.tail())
        lines = journal.read_text().splitlines()
        assert len(lines) == len(set(lines)) == 3 * 4, "each task ran once"
        assert network_of(lab, "loaded")["endpoint"] == new
