"""`tradewind project deploy`: what it prints, what it asks of Helm, and how it waits for a release's agents."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from click.testing import CliRunner

from support import project_parts
from support.project_parts import FakeBuilder
from tradewind.cli import main
from tradewind.client.operator_client import OperatorClient
from tradewind.commands.session import Session
from tradewind.errors import CommandError
from tradewind.project import git_facts, rollout
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind_protocol import operator, plane_archives, polling, states

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

HELM = """#!{python}
import json, pathlib, sys
with pathlib.Path({log!r}).open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(0 if "shop" in sys.argv else 1)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in project_parts.without_index().items():
        monkeypatch.setenv(name, value)
    made = project_parts.made(tmp_path / "shop", project_parts.dist(tmp_path / "dist"))
    podman = FakeBuilder(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{podman.place}:{os.environ['PATH']}")
    return made


@pytest.fixture
def helm(project: Project, tmp_path: Path) -> Callable[[], list[list[str]]]:
    """Helm that knows the release `shop`; its calls."""
    log, program = tmp_path / "helm-calls", tmp_path / "bin" / "helm"
    program.write_text(HELM.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def deploy(tradewind: Any, project: Project, *arguments: str) -> Any:
    return tradewind(
        "project",
        "deploy",
        *arguments,
        *("--registry", "r.example.com", "--project", str(project.root)),
        *(() if "--builder" in arguments else ("--builder", "podman")),
    )


def test_without_the_release_here_the_values_and_the_one_command_are_printed(
    tradewind: Any, project: Project
) -> None:
    result = deploy(tradewind, project, "site", "--release", "eu-1")
    assert result.exit_code == 0, result.output
    assert f"image:\n  repository: r.example.com/shop-site\n  digest: sha256:{'a' * 64}\n" in result.output
    assert "helm upgrade eu-1 tradewind-agent --reuse-values --set-string" in result.output


def test_the_planes_image_is_printed_with_what_to_do_where_there_is_no_platform(
    tradewind: Any, project: Project
) -> None:
    result = deploy(tradewind, project, "plane")
    assert result.exit_code == 0, result.output
    assert f"r.example.com/shop-plane@sha256:{'a' * 64}" in result.output
    assert "airflow db migrate" in result.output and "--deployment NAME" in result.output


def test_there_is_nothing_to_deploy_without_images(tradewind: Any, project: Project) -> None:
    result = deploy(tradewind, project, "site", "--builder", "venv")
    assert result.exit_code == 1
    assert "cannot be deployed as an image" in result.output


def test_helm_gets_the_digest_and_keeps_the_other_values(
    tradewind: Any, project: Project, helm: Callable[[], list[list[str]]]
) -> None:
    result = deploy(tradewind, project, "site", "--namespace", "data", "--wait", "0")
    assert result.exit_code == 0, result.output
    status, upgrade = helm()
    assert status == ["status", "shop", "--namespace", "data"]
    assert upgrade[:2] == ["upgrade", "shop"]
    assert {"--reuse-values", f"image.digest=sha256:{'a' * 64}", "data"} <= set(upgrade)


def test_it_waits_until_the_plane_shows_the_agents_anew(
    at_plane: Any, plane: Any, project: Project, helm: Callable[[], list[list[str]]]
) -> None:
    agent = plane.agents[0]
    plane.agents = [agent.model_copy(update={"name": "shop-0", "session_id": UUID(int=77)})]
    before = plane.agents
    answers = iter([before])
    original = plane._answer

    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/agents" and next(answers, None) is None:
            plane.agents = [before[0].model_copy(update={"session_id": UUID(int=78)})]
        return original(method, path, body)

    plane._answer = answer
    result = deploy(at_plane, project, "site", "--wait", "30")
    assert result.exit_code == 0, result.output
    assert "1 agents are healthy with the new image: shop-0" in result.output


# ---- the rule of waiting, on one moment


def agent(plane: Any, **changes: Any) -> operator.AgentView:
    return plane.agents[0].model_copy(update={"name": "shop-0", **changes})  # type: ignore[no-any-return]


FINDING = polling.Finding(check="bundle:shop", message="the bundle cannot be fetched", remedy="")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "shop-0: it has not been restarted"),
        ({"session_id": UUID(int=9), "version": "0.0.9"}, "shop-0: it has Tradewind 0.0.9, not 0.1.0"),
        (
            {
                "session_id": UUID(int=9),
                "state": states.AgentState.DEGRADED,
                "state_reason": "a check fails",
                "findings": (FINDING,),
            },
            "shop-0: it is degraded; a check fails; the bundle cannot be fetched",
        ),
        ({"name": "another"}, "no agent of shop has come"),
        ({"state": states.AgentState.OFFLINE}, "no agent of shop has come"),
    ],
)
def test_an_agent_that_is_not_there_yet_is_named_with_the_reason(
    plane: Any, changes: dict[str, Any], why: str
) -> None:
    before = {agent(plane).id: agent(plane)}
    plane.agents = [agent(plane, **changes)]
    with OperatorClient(plane.url, token="good") as client:
        with pytest.raises(CommandError, match=why) as caught:
            rollout.wait(client, "shop", before, version="0.1.0", timeout=0)
    assert "helm rollback" in caught.value.remedy


def test_a_release_is_not_taken_for_another_that_begins_with_its_name() -> None:
    assert rollout.is_of("shop", "shop")
    assert rollout.is_of("shop-0", "shop")
    assert not rollout.is_of("shopping", "shop")


# ---- the plane, to a Deployment


class Platform:
    """A platform that takes what it is sent, and remembers it."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.deploys: list[dict[str, Any]] = []
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/deployments/sales")
        assert path != request.url.path, request.url
        if request.method == "PUT":
            digest = path.removeprefix("/archives/")
            found = plane_archives.check(io.BytesIO(request.content))
            assert found.digest == digest
            self.archives[digest] = request.content
            told = {"digest": digest, "airflow": found.airflow, "python": found.python, "size": found.size}
            return httpx.Response(200, json=told)
        if request.method == "GET":
            page = {"items": self.deploys, "total": len(self.deploys), "limit": 100, "offset": 0}
            return httpx.Response(200, json=page)
        ask = json.loads(request.content)
        self.asked.append({"path": path, **ask})
        deploy = {
            "id": str(uuid4()),
            "deployment": str(UUID(int=1)),
            "operation": str(UUID(int=2)),
            "status": "DEPLOYED",
            "is_current": True,
            "created_at": "2026-03-01T12:00:00Z",
            **{key: ask.get(key) or "" for key in ("digest", "image", "airflow", "description")},
            "git": ask.get("git"),
        }
        self.deploys = [deploy, *({**one, "is_current": False} for one in self.deploys)]
        operation = {
            "id": str(UUID(int=2)),
            "deployment": str(UUID(int=1)),
            "deployment_name": "sales",
            "kind": "deploy",
            "state": "pending",
            "created_at": "2026-03-01T12:00:00Z",
        }
        return httpx.Response(202, json=operation)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    monkeypatch.setenv("TRADEWIND_PLATFORM_URL", "http://platform.example.com")
    monkeypatch.setenv("TRADEWIND_API_TOKEN", "tw_api_x")
    return made


def to_sales(platform: Platform, project: Project, *arguments: str) -> Any:
    command = ["project", *arguments, "--deployment", "sales"]
    more = ["--project", str(project.root), "--wait", "0"] if arguments[0] == "deploy" else []
    session = Session(transport=platform.transport)
    return CliRunner().invoke(main, [*command, *more], obj=session, catch_exceptions=False)


def test_scenario_27_the_planes_code_is_sent_once_under_its_digest(
    platform: Platform, project: Project
) -> None:
    first = to_sales(platform, project, "deploy", "--description", "the first")
    assert first.exit_code == 0, first.output
    [digest] = platform.archives
    [ask] = platform.asked
    assert (ask["path"], ask["digest"], ask["description"]) == ("/deploys", digest, "the first")
    assert f"sales: deploying {digest}" in first.output
    again = to_sales(platform, project, "deploy")
    assert again.exit_code == 0 and f"nothing changed: {digest}" in again.output
    assert len(platform.asked) == 1
    (project.plane.folder / "plugins" / "new.py").write_text("NEW = 1\n")
    assert to_sales(platform, project, "deploy").exit_code == 0
    assert len(platform.archives) == len(platform.asked) == 2


def test_with_a_registry_the_platform_gets_the_images_digest(platform: Platform, project: Project) -> None:
    arguments = ("--registry", "r.example.com", "--builder", "podman")
    result = to_sales(platform, project, "deploy", "plane", *arguments)
    assert result.exit_code == 0, result.output
    [ask] = platform.asked
    assert (ask["image"], ask["airflow"]) == (f"r.example.com/shop-plane@sha256:{'a' * 64}", "3.3.2")
    assert ask["digest"] is None and platform.archives == {}


def test_a_site_with_a_newer_airflow_keeps_the_planes_code_back(platform: Platform, project: Project) -> None:
    packages = Packages(project)
    lock = packages.lock(project.site)
    lock.write_text(lock.read_text().replace("apache-airflow-core==3.3.2", "apache-airflow-core==3.4.0"))
    result = to_sales(platform, project, "deploy")
    assert result.exit_code == 1
    assert "Airflow 3.4.0 is newer than the plane's 3.3.2" in result.output
    assert platform.archives == {} and platform.asked == []


def test_code_that_is_larger_than_a_platform_takes_is_not_sent(
    platform: Platform, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane_archives, "COMPRESSED", 100)
    result = to_sales(platform, project, "deploy")
    assert result.exit_code == 1 and "at the most" in result.output
    assert platform.archives == {} and platform.asked == []


def test_debian_packages_are_said_to_be_for_images(platform: Platform, project: Project) -> None:
    (project.plane.folder / "packages.txt").write_text("# for a plugin\nlibxml2\n")
    result = to_sales(platform, project, "deploy")
    assert result.exit_code == 0 and "libxml2" in result.output


def test_the_commit_goes_into_the_history_and_no_password_of_its_repository(
    platform: Platform, project: Project
) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(project.root), "-c", "user.name=ada", "-c", "user.email=ada@example.com"]
        return subprocess.run(
            [*command, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--initial-branch", "main")
    git("remote", "add", "origin", "https://ada:sesame@example.com/shop.git")
    git("add", ".")
    git("commit", "--message", "first")
    assert git_facts.of(project.root).is_dirty is False  # type: ignore[union-attr]
    (project.plane.folder / "plugins" / "new.py").write_text("NEW = 1\n")
    to_sales(platform, project, "deploy")
    [ask] = platform.asked
    assert ask["git"] == {
        "commit": git("rev-parse", "HEAD"),
        "branch": "main",
        "repository": "https://example.com/shop.git",
        "is_dirty": True,
    }
    assert "sesame" not in json.dumps(platform.asked)
    listed = to_sales(platform, project, "deploys", "list")
    assert f"{git('rev-parse', 'HEAD')[:10]}+" in listed.output and "DEPLOYED" in listed.output


def test_outside_a_repository_no_commit_is_named(platform: Platform, project: Project) -> None:
    to_sales(platform, project, "deploy")
    assert platform.asked[0]["git"] is None


def test_a_roll_back_names_a_deploy_or_none(platform: Platform, project: Project) -> None:
    assert to_sales(platform, project, "deploys", "rollback").exit_code == 0
    chosen = str(uuid4())
    assert to_sales(platform, project, "deploys", "rollback", chosen, "--description", "back").exit_code == 0
    assert [(one["path"], one["deploy"]) for one in platform.asked] == [
        ("/deploys/roll-back", None),
        ("/deploys/roll-back", chosen),
    ]


def test_without_a_part_or_a_deployment_the_choice_is_named(tradewind: Any, project: Project) -> None:
    result = tradewind("project", "deploy", "--project", str(project.root))
    assert result.exit_code == 2 and "name a part: plane or site" in result.output
    result = tradewind("project", "deploys", "list")
    assert result.exit_code == 2 and "--deployment NAME" in result.output
    result = tradewind("project", "deploy", "site", "--project", str(project.root))
    assert result.exit_code == 2 and "--registry" in result.output
