"""Each secrets backend at a site under `strict`, set up as its page says, in a network where the vendors' real names answer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from backends import secrets_of
from backends.secrets_of import NAMES, Backend
from support import network
from support.airflow_rest import AirflowRest, Run, eventually
from support.cloud.aws import Moto
from support.cloud.namespace import Cloud
from support.cloud.openbao import OpenBao
from support.cloud.server import Servers
from support.deployment import run_site
from support.environments import index_of, of_cloud
from support.installed import environments
from tradewind.embedded.agent import local_bundle
from tradewind.embedded.plane import Plane

DAGS = Path(__file__).parent / "dags"
PASSWORD, LIMIT = "SECRET-of-the-warehouse", "SECRET-limit-of-100"

pytestmark = pytest.mark.skipif(
    not network.namespaces_available(), reason="network namespaces need root and a kernel with veth"
)


class SecretsSite:
    """A site whose connections and variables are in one backend."""

    def __init__(self, backend: Backend, rest: AirflowRest, home: Path) -> None:
        self.backend, self.rest, self.home = backend, rest, home

    def asked(self) -> dict[str, tuple[str, str]]:
        """What user code got, by where it asked."""
        lines = [json.loads(line) for line in (self.home / "journal").read_text().splitlines()]
        return {
            each["where"]: (each["password"], each["variable"]) for each in lines if each["event"] == "asked"
        }

    def ask(self, **what: str) -> Run:
        """One task that asks for a connection or a variable."""
        return self.rest.run(f"{self.backend.name}_once", conf=what)

    def log(self, run: Run) -> str:
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/asks/logs/1"
        return "\n".join(str(line["event"]) for line in self.rest.get(path)["content"])

    def examined(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What `tradewind-agent doctor` says there, by check."""
        command = [*self.backend.cloud.place.command(), str(environments().agent), "-m", "tradewind_agent"]
        command += [
            "doctor",
            "--config",
            str(self.home / "agent" / "agent.toml"),
            "--output",
            "json",
            *arguments,
        ]
        told = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
        assert told.stdout, told.stderr
        return {each["check"]: each for each in json.loads(told.stdout)["checks"]}


@pytest.fixture(scope="module")
def cloud(servers: Servers, directory: Path) -> Iterator[Cloud]:
    hosts = dict(NAMES)
    for name in hosts:
        if name.endswith("amazonaws.com"):
            hosts[name] = servers.get(Moto).url
    hosts["vault.example.com"] = servers.get(OpenBao).url
    with Cloud(directory / "cloud", hosts, more=[secrets_of.GoogleSecretManager.host]) as made:
        yield made


@pytest.fixture(scope="module", params=secrets_of.ALL, ids=lambda kind: kind.name)
def site(
    request: pytest.FixtureRequest, cloud: Cloud, servers: Servers, plane: Plane, directory: Path
) -> Iterator[SecretsSite]:
    home = directory / request.param.name
    with request.param(cloud, servers, home / "backend") as backend:
        backend.put("connection", "warehouse", f"postgres://etl:{PASSWORD}@db.internal/dwh")
        backend.put("variable", "limit", LIMIT)
        backend.put("connection", "my_db", "http://user:of-my-db@h")
        backend.put("connection", "broken", "postgres://etl:un/escaped#SECRET@db.internal:x")
        variables = {
            **cloud.environment(),
            **backend.variables(),
            "SITE_NAME": backend.name,
            "SITE_WHEELS": str(index_of(of_cloud(backend.extra), home / "wheels")),
            "AIRFLOW_CONN_ELSEWHERE": "http://user:of-the-environment@h",
        }
        signs_in = {
            "name": backend.name,
            "classpath": "asking_for_secrets_later.SignsIn",
            "kwargs": {"path": str(DAGS), "refresh_interval": 5},
        }
        bundles = [signs_in, local_bundle(f"{backend.name}-once", DAGS.parent / "dags_once")]
        with cloud.proxy(int(plane.url.rpartition(":")[2])) as proxy:
            made = run_site(
                home,
                plane,
                plane_url=proxy.url,
                name=backend.name,
                bundle=backend.name,
                dags=DAGS,
                site=variables,
                tasks=of_cloud(backend.extra),
                options={"bundles": bundles},
                token_site=backend.name,
            )
            process = made.agent.process
            process.command = [*cloud.place.command(), *process.command]
            with made, plane.client() as http:
                rest = AirflowRest(http)
                rest.wait_for_dags([f"{backend.name}_everywhere", f"{backend.name}_once"])
                yield SecretsSite(backend, rest, home)


def test_a_connection_and_a_variable_are_found_wherever_a_dag_asks(site: SecretsSite) -> None:
    run = site.rest.run(f"{site.backend.name}_everywhere", timeout=240)
    assert run.state == "success", run
    places = {
        "top",
        "task",
        "thread",
        "model",
        "external_python",
        "virtualenv",
        "trigger",
        "template",
        "callback",
        "bundle",
    }
    eventually(
        lambda: set(site.asked()) == places, timeout=60, what=lambda: f"asked at {site.asked().keys()}"
    )
    assert set(site.asked().values()) == {(PASSWORD, LIMIT)}


def test_what_the_backend_does_not_have_is_looked_for_in_the_environment(site: SecretsSite) -> None:
    assert site.ask(connection="elsewhere").state == "success"
    found = site.examined("--connection", "nowhere")["secrets:default"]
    assert found["verdict"] == "failed"
    assert "connection 'nowhere' cannot be read by a task: it is in none of" in found["evidence"], found
    missing = site.ask(connection="nowhere")
    assert missing.state == "failed"
    assert "The connection 'nowhere' is in none of this site's secrets backends" in site.log(missing)


def test_a_name_with_an_underscore_is_found_also_in_key_vault_which_has_none(site: SecretsSite) -> None:
    run = site.ask(connection="my_db")
    assert run.state == "success", site.log(run)


def test_a_secret_that_is_no_connection_is_told_and_not_quoted(site: SecretsSite) -> None:
    run = site.ask(connection="broken")
    assert run.state == "failed"
    said = site.log(run)
    assert (
        "has a secret for the connection 'broken', but it is neither a connection's URI nor its JSON" in said
    )
    assert "SECRET" not in said


@pytest.mark.parametrize("kind", ["connection", "variable"])
@pytest.mark.parametrize("fault", ["denied", "throttled", "away"])
def test_a_failure_is_told_with_cause_and_remedy(site: SecretsSite, fault: str, kind: str) -> None:
    name = {"connection": "warehouse", "variable": "limit"}[kind]
    faults: dict[str, tuple[Callable[[], AbstractContextManager[None]], str]] = {
        "denied": (site.backend.denied, "the right to read this secret"),
        "throttled": (site.backend.throttling, "limits the requests of this site"),
        "away": (site.backend.away, "Check the address, DNS, proxy, firewall and certificates"),
    }
    cause, remedy = faults[fault]
    with cause():
        run = site.ask(**{kind: name})
        examined = site.examined(f"--{kind}", name)["secrets:default"] if kind == "connection" else None
    assert run.state == "failed"
    said = site.log(run)
    assert f"{site.backend.service} (" in said and f"could not read the {kind} '{name}'" in said, said
    assert remedy in said
    assert "is in none of this site's secrets backends" not in said
    assert "SECRET" not in said
    if examined is not None:
        assert examined["verdict"] == "failed"
        assert remedy in examined["remedy"], examined


def test_a_slow_answer_is_waited_for_and_told(site: SecretsSite) -> None:
    with site.backend.slow(6):
        run = site.ask(connection="warehouse")
        examined = site.examined("--connection", "warehouse")["secrets:default"]
    assert examined["verdict"] == "warning", examined
    assert f"Look at the load of {site.backend.service}" in examined["remedy"]
    assert run.state == "success"
    assert f"{site.backend.service} took " in site.log(run)


def test_the_doctor_reads_as_a_task_does_and_names_the_identity(site: SecretsSite) -> None:
    told = site.examined("--connection", "warehouse", "--variable", "limit", "--connection", "elsewhere")
    found = told["secrets:default"]
    assert found["verdict"] == "ok", found
    backend = json.loads(json.dumps(site.backend.variables()))["AIRFLOW__SECRETS__BACKEND"].rpartition(".")[2]
    assert f"connection warehouse (postgres) from {backend}" in found["evidence"], found
    assert f"variable limit from {backend}" in found["evidence"]
    assert "connection elsewhere (http) from EnvironmentVariablesBackend" in found["evidence"]
    assert site.backend.known_as in found["evidence"]
    assert "SECRET" not in str(told)


def test_a_rotated_credential_is_taken_by_the_next_task(site: SecretsSite) -> None:
    site.backend.rotate()
    assert site.ask(connection="warehouse").state == "success"
    # no secret left the site
    ledgers = list((site.home / "agent" / "state" / "ledger").glob("*"))
    assert ledgers and not any("SECRET" in each.read_text() for each in ledgers)
