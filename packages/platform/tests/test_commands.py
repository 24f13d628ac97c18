"""The commands of a platform against its API: what they print, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from support.platform_parts import Reconciled
from tradewind.commands.session import Session
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed

Run = Callable[..., Result]


@pytest.fixture
def working(reconciled: Reconciled) -> Iterator[None]:
    """The reconciler works by itself."""
    reconciled.reconciler.observe_every = 0.1
    worker = threading.Thread(target=reconciled.reconciler.run)
    worker.start()
    yield
    reconciled.reconciler.stop()
    worker.join()


@pytest.mark.usefixtures("working")
def test_create_waits_until_the_deployment_is_healthy(run: Run) -> None:
    made = run("-o", "json", "deployments", "create", "sales", "--wait", "--reason", "first")
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert (found["name"], found["phase"], found["health"]) == ("sales", "running", "healthy")
    listed = run("deployments", "list").stdout
    assert "sales" in listed and found["agent_url"] in listed


@pytest.mark.usefixtures("working")
def test_create_says_which_step_failed_and_how_to_go_on(run: Run, reconciled: Reconciled) -> None:
    reconciled.driver.failing["migrate"] = StepFailed("the disk is full", final=True)
    made = run("deployments", "create", "sales", "--wait")
    assert made.exit_code == 1
    assert "create of 'sales' failed: migrate: the disk is full" in made.stderr
    operation = made.stderr.split("tradewind operations retry ")[1].split()[0]
    reconciled.driver.failing.clear()
    assert run("operations", "retry", operation).exit_code == 0
    assert "succeeded" in run("operations", "wait", operation).stdout


def test_maintenance_is_shown_and_changed_and_what_is_not_named_stays(
    run: Run, reconciled: Reconciled
) -> None:
    reconciled.created()

    def shown(*options: str) -> str:
        made = run("deployments", "maintenance", "sales", *options)
        assert made.exit_code == 0, made.output
        return " ".join(made.stdout.split())

    assert "Upgrades on request only" in shown()
    text = shown("--follow", "3.3", "--window", "0 22 * * *", "240", "--backups", "0 1 * * *")
    assert "Upgrades to the newest release of 3.3" in text and "from '0 22 * * *' for 240 minutes" in text
    text = shown("--no-follow")
    assert "Upgrades on request only" in text and "Backups at '0 1 * * *', keeps 30 days" in text
    refused = run("deployments", "maintenance", "sales", "--follow", "newest")
    assert refused.exit_code != 0 and "write 3.3" in refused.stderr


def test_edit_sends_what_was_given_and_nothing_else(run: Run, reconciled: Reconciled) -> None:
    reconciled.created(description="EU", deletion_protection=True)
    assert run("deployments", "edit", "sales", "--policy", "open").exit_code == 0
    found = reconciled.deployment()
    assert (found["policy"], found["description"], found["deletion_protection"]) == ("open", "EU", True)
    refused = run("deployments", "edit", "sales", "--no-protect", "--if-revision", "1")
    assert refused.exit_code == 1 and "has the revision 2" in refused.stderr


def test_move_says_when_the_other_workspace_has_other_settings(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    for name in ("lab", "ops"):
        assert run("workspaces", "create", name).exit_code == 0
    refused = run("deployments", "move", "sales", "--workspace", "lab", "--if-revision", "7")
    assert refused.exit_code == 1 and "has the revision 1" in refused.stderr
    plain = run("deployments", "move", "sales", "--workspace", "lab", "--reason", "new team")
    assert plain.exit_code == 0 and "lab" in plain.stdout and "environment apply" not in plain.stdout
    assert reconciled.events(action="deployment.move")[0]["reason"] == "new team"
    reconciled.owner.put("/v1/workspaces/ops/variables/REGION", json={"value": "eu"})
    other = run("deployments", "move", "sales", "--workspace", "ops")
    assert "tradewind environment apply sales" in other.stdout


def test_delete_asks_for_the_name(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    assert run("deployments", "delete", "sales", input="sails\n").exit_code == 1
    assert reconciled.deployment()["phase"] == "running"
    assert run("deployments", "delete", "sales", input="sales\n").exit_code == 0
    assert reconciled.deployment()["phase"] == "deleting"


def test_a_token_goes_to_a_file_of_its_owner_only(run: Run, reconciled: Reconciled, tmp_path: Path) -> None:
    file = tmp_path / "ci.token"
    arguments = ("--role", "workspace_viewer", "--workspace", "default", "--to-file", str(file))
    made = run("api-tokens", "create", "ci", *arguments)
    assert made.exit_code == 0 and "tw_api_" not in made.output
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert reconciled.caller(file.read_text().strip()).get("/v1/me").json()["name"] == "token:ci"
    assert "workspace_viewer" in run("api-tokens", "list").stdout
    assert run("api-tokens", "delete", "ci", "--yes").exit_code == 0


def test_what_was_refused_is_in_the_audit_trail(
    run: Run, reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = reconciled.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    with monkeypatch.context() as other:
        other.setenv("TRADEWIND_API_TOKEN", str(viewer.headers["Authorization"]).removeprefix("Bearer "))
        refused = run("deployments", "create", "sales")
    assert refused.exit_code == 1 and "may not deployment.create on this workspace" in refused.stderr
    assert "not_permitted" in run("audit", "list", "--action", "deployment.create").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("deployments", "create", "Sales"), "name: String should match"),
        (
            ("--plane-url", "http://p.example.com", "--deployment", "sales", "agents", "list"),
            "and --plane-url another",
        ),
    ],
)
def test_a_command_line_that_makes_no_sense_says_why(
    run: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2 and sentence in found.stderr


def test_a_deployment_without_processes_is_not_asked(run: Run, reconciled: Reconciled) -> None:
    reconciled.create()
    refused = run("--deployment", "sales", "agents", "list")
    assert refused.exit_code == 1 and "is creating, so its Airflow does not run" in refused.stderr
    unknown = run("--deployment", "nothing", "agents", "list")
    assert unknown.exit_code == 1 and "there is no Deployment 'nothing'" in unknown.stderr


def test_clusters_add_prints_the_line_that_installs_the_controller(
    run: Run, reconciled: Reconciled, tmp_path: Path
) -> None:
    file = tmp_path / "cluster-token"
    names = ("--agents-host", "{id}.external.example.com", "--people-domain", "{id}.apps.example.com")
    added = run("clusters", "add", "north", *names, "--to-file", str(file))
    assert added.exit_code == 0, added.output
    token = file.read_text().strip()
    assert token.startswith("tw_cluster_") and file.stat().st_mode & 0o777 == 0o600
    assert "helm upgrade --install tradewind-controller" in added.stderr and token not in added.output
    slug = reconciled.owner.get("/v1/clusters/north").json()["slug"]
    shown = run("clusters", "get", "north").stdout
    assert slug in shown and f"*.{slug}.apps.example.com" in shown and "404 page not found" in shown
    assert "never" in run("clusters", "list").stdout
    assert run("clusters", "edit", "north", "--name", "south", "--workspace", "default").exit_code == 0
    rotated = run("clusters", "rotate-token", "south")
    assert rotated.stdout.strip().startswith("tw_cluster_")
    assert run("clusters", "revoke-token", "south", "--yes").exit_code == 0
    assert run("clusters", "delete", "south", "--yes").exit_code == 0


def test_a_secret_is_never_an_argument(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    refused = run("environment", "set", "KEY=canary", "--secret", "--scope", "deployment/sales")
    assert refused.exit_code == 2 and "canary" not in refused.output and "--stdin" in refused.output
    done = run(
        "environment", "set", "KEY", "--secret", "--stdin", "--scope", "deployment/sales", input="canary"
    )
    assert done.exit_code == 0 and "canary" not in done.output


def test_a_deployment_has_variables_and_networks_from_its_first_start_on(
    run: Run, reconciled: Reconciled, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.env"
    secrets.write_text("# of the proxy\nPROXY_PASSWORD=hunter2\n")
    arguments = (
        "--env",
        "REGION=eu",
        "--env-file",
        str(secrets),
        "--allow",
        "203.0.113.0/24",
        "--allow",
        "198.51.100.7",
    )
    made = run("deployments", "create", "sales", *arguments)
    assert made.exit_code == 0 and "hunter2" not in made.output
    reconciled.reconciler.carry_out_all()
    document = reconciled.driver.given[reconciled.deployment()["slug"]]
    assert (document.environment["REGION"], document.environment["PROXY_PASSWORD"]) == ("eu", "hunter2")
    assert document.configuration["tradewind"]["allowed_addresses"] == "203.0.113.0/24, 198.51.100.7/32"
    listed = json.loads(run("-o", "json", "environment", "list", "--scope", "deployment/sales").stdout)[
        "items"
    ]
    assert [(one["name"], one["value"], one["applied"]) for one in listed] == [
        ("PROXY_PASSWORD", "", True),
        ("REGION", "eu", True),
    ]
    assert "hunter2" not in run("audit", "export").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--env", "PATH=/tmp"), "PATH decides which code"),
        (("--env", "AIRFLOW__TRADEWIND__ALLOWED_ADDRESSES=::/0"), "list of allowed addresses"),
        (("--allow", "10.0.0.1/8"), "is no network"),
    ],
    ids=["variable", "allow list as a variable", "network"],
)
def test_a_deployment_that_may_not_have_them_is_not_made(
    run: Run, reconciled: Reconciled, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = run("deployments", "create", "sales", *arguments)
    assert refused.exit_code == 1 and sentence in refused.stderr
    assert reconciled.owner.get("/v1/deployments").json()["total"] == 0


def test_health_shows_each_condition_and_is_an_exit_code(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    good = run("deployments", "health", "sales")
    assert good.exit_code == 0 and "SchedulerBeating" in good.stdout
    reconciled.create("new")
    early = run("deployments", "health", "new")
    assert early.exit_code == 1 and "Deployment 'new' is unknown" in early.stderr


def test_logs_prints_the_lines_alone_and_names_the_file_beside_them(run: Run, reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.write(slug, Component.SCHEDULER, "begins", "\tat line 7", "\x1b[31mred\x1b[0m \x07bell")
    found = run("deployments", "logs", "sales", "--component", "scheduler", "--lines", "2")
    assert found.exit_code == 0, found.output
    assert found.stdout == "        at line 7\nred \ufffdbell\n", "nothing that a terminal obeys"
    assert found.stderr == "scheduler: scheduler.log in memory\n"
    told = json.loads(run("-o", "json", "deployments", "logs", "sales", "--component", "scheduler").stdout)
    assert told["component"] == "scheduler" and told["lines"][0] == "begins"


def test_logs_of_what_is_no_component_names_those_there_are(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    refused = run("deployments", "logs", "sales", "--component", "triggerer")
    assert refused.exit_code == 1 and "no component 'triggerer'" in refused.stderr
    assert "api-server, scheduler, migrate" in refused.stderr
    silent = run("deployments", "logs", "sales")
    assert silent.exit_code == 1 and "has no line yet" in silent.stderr and silent.stdout == ""


def test_open_prints_the_address_where_there_is_no_browser(
    run: Run, reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciled.created()
    opened: list[str] = []
    monkeypatch.setattr(Session, "browser", lambda self: lambda url: not opened.append(url))
    found = run("deployments", "open", "sales")
    assert found.exit_code == 0 and opened == [found.stdout.strip()]
    monkeypatch.setattr(Session, "browser", lambda self: None)
    found = run("deployments", "open", "sales")
    assert found.stdout.strip() == opened[0] and "No browser" in found.stderr
