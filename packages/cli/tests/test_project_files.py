"""A new project, and what its settings file may say."""

from __future__ import annotations

import ast
import fcntl
import socket
from pathlib import Path
from typing import Any

import pytest

from support import project_parts
from tradewind.errors import BadUsage
from tradewind.project import checks, settings

MAIN_FILES = {
    ".dockerignore",
    ".gitignore",
    "README.md",
    "tradewind.toml",
    "plane/Containerfile",
    "plane/packages.txt",
    "plane/requirements.txt",
    "plane/timetables/month_ends.py",
    "site/Containerfile",
    "site/agent.toml",
    "site/dags/example.py",
    "site/dags/month_end.py",
    "site/packages.txt",
    "site/requirements.txt",
    "tests/test_dags.py",
}


def test_a_new_project_has_both_planes_and_reads_its_own_settings(
    tradewind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = tradewind("project", "init", "My Shop")
    assert result.exit_code == 0, result.output
    root = tmp_path / "My Shop"
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files >= MAIN_FILES
    project = settings.found(root / "site" / "dags")
    assert (project.root, project.name, project.dist) == (root, "my-shop", None)
    assert project.site.image == "my-shop-site"
    assert not any("@" in path.read_text() for path in (root / "site").glob("*.toml")), (
        "a mark that was not filled in"
    )
    for path in root.rglob("*.py"):
        ast.parse(path.read_text())
    assert "tradewind project dev" in result.output


def test_dist_beside_the_project_is_found_and_both_can_be_moved(
    tradewind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_parts.dist(tmp_path / "dist")
    monkeypatch.chdir(tmp_path)
    assert tradewind("project", "init", "shop").exit_code == 0
    assert 'dist = "../dist"' in (tmp_path / "shop" / "tradewind.toml").read_text()
    assert settings.read(tmp_path / "shop").dist == tmp_path / "dist"


def test_a_folder_with_something_in_it_is_left_alone(tradewind: Any, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    result = tradewind("project", "init", str(tmp_path))
    assert result.exit_code == 2
    assert "is not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_new_repository_of_git_is_an_empty_folder(tradewind: Any, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert tradewind("project", "init", str(tmp_path), "--name", "shop").exit_code == 0
    assert (tmp_path / "tradewind.toml").exists()


def test_a_port_that_is_taken_and_a_second_dev_are_refused_at_once(tradewind: Any, tmp_path: Path) -> None:
    project = project_parts.made(tmp_path / "shop", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = tradewind("project", "dev", "--port", port, "--project", str(project.root))
    assert result.exit_code == 2
    assert f"port {port} cannot be used" in result.output
    with (project.kept / "dev.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = tradewind("project", "dev", "--port", "0", "--project", str(project.root))
    assert result.exit_code == 2
    assert "runs in this project already" in result.output


def test_a_folder_that_make_dist_did_not_build_is_refused(tradewind: Any, tmp_path: Path) -> None:
    result = tradewind("project", "init", str(tmp_path / "shop"), "--dist", str(tmp_path))
    assert result.exit_code == 2
    assert "was not built by `make dist`" in result.output


@pytest.mark.parametrize("verb", ["check", "build", "dev", "deploy site --registry r.example.com"])
def test_outside_a_project_every_verb_says_how_to_make_one(tradewind: Any, tmp_path: Path, verb: str) -> None:
    result = tradewind("project", *verb.split(), "--project", str(tmp_path))
    assert result.exit_code == 2
    assert "tradewind project init NAME" in result.output


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('name = "shop"', 'name = "My Shop"', "lower-case letters"),
        ('name = "shop"', 'nam = "shop"', "there is no setting nam"),
        (f'python = "{project_parts.PYTHON}"', 'python = "3"', "not a minor version"),
        (f'python = "{project_parts.PYTHON}"', "python = 3.12", "not a text"),
        ('image = "shop-site"', 'image = "r.example.com/shop:latest"', "no tag"),
        ('image = "shop-site"', 'tag = "x"', "there is no setting site.tag"),
        ("[site]", "[site", "is not TOML"),
        ("[site]", "[[site]]", "site is not a table"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    project = project_parts.made(tmp_path / "shop", None)
    file = project.root / "tradewind.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    with pytest.raises(BadUsage) as caught:
        settings.read(project.root)
    assert said in f"{caught.value.message} {caught.value.remedy}"


def test_variables_for_development_are_read_and_a_wrong_line_is_named_without_its_value(
    tmp_path: Path,
) -> None:
    project = project_parts.made(tmp_path / "shop", None)
    file = project.site.folder / "dev.env"
    assert checks.development_variables(project) == {}
    file.write_text("# of the laptop\nexport AIRFLOW_VAR_REGION='eu'\nURL=http://x/?a=b\n\n")
    assert checks.development_variables(project) == {"AIRFLOW_VAR_REGION": "eu", "URL": "http://x/?a=b"}
    file.write_text("GOOD=1\nsesame street\n")
    with pytest.raises(BadUsage, match="line 2") as caught:
        checks.development_variables(project)
    assert "sesame" not in str(caught.value)
