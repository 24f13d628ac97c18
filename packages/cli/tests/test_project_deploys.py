"""`tradewind project deploy`: what it prints, what it asks of Helm, and how it waits for a release's agents."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support import project_parts
from support.project_parts import FakeBuilder
from tradewind.client.operator_client import OperatorClient
from tradewind.errors import CommandError
from tradewind.project import rollout
from tradewind.project.settings import Project
from tradewind_protocol import operator, polling, states

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


def test_the_plane_says_plainly_that_there_is_no_platform(tradewind: Any, project: Project) -> None:
    result = deploy(tradewind, project, "plane")
    assert result.exit_code == 0, result.output
    assert "There is no platform yet" in result.output
    assert "airflow db migrate" in result.output


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
