"""Locks, environments and images of a project: made once for the same contents, checked before they count as built.

uv is real and works without an index; what stands for a builder of images is a program of its own.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from support import directories, project_parts
from support.project_parts import FakeBuilder
from tradewind.embedded import environments
from tradewind.errors import CommandError
from tradewind.project import builders, contents, plane_archive
from tradewind.project.packages import Packages, locked_version
from tradewind.project.settings import Project
from tradewind_protocol import plane_archives

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    return project_parts.dist(tmp_path / "dist")


@pytest.fixture
def project(tmp_path: Path, dist: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in project_parts.without_index().items():
        monkeypatch.setenv(name, value)
    return project_parts.made(tmp_path / "shop", dist)


@pytest.fixture
def podman(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> FakeBuilder:
    made = FakeBuilder(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.place}:{os.environ['PATH']}")
    return made


def build(tradewind: Any, project: Project, *arguments: str) -> Any:
    return tradewind("project", "build", *arguments, "--project", str(project.root))


# ---- locks


def test_a_lock_names_hashes_and_is_made_anew_only_when_what_it_is_made_of_changed(
    project: Project, dist: Path
) -> None:
    said: list[str] = []
    packages = Packages(project, say=said.append)
    first = packages.lock(project.site).read_text()
    assert locked_version(project.site.lock, "tradewind-runtime") == "0.1.0"
    assert locked_version(project.site.lock, "apache-airflow-core") == "3.3.2"
    assert first.count("--hash=sha256:") == first.count("==")
    assert packages.lock(project.site).read_text() == first
    assert said == ["locking site/requirements.txt"]
    project_parts.wheel(dist, "extra", "1.0", {"extra.py": ""})
    project.site.requirements.write_text("extra\n")
    packages.lock(project.site)
    assert len(said) == 2
    assert locked_version(project.site.lock, "extra") == "1.0"


def test_tradewind_built_again_under_the_same_version_is_locked_and_installed_anew(
    project: Project, dist: Path
) -> None:
    first = Packages(project).environment(project.site)
    shutil.rmtree(dist)
    project_parts.dist(dist, check="print('another')")
    second = Packages(project).environment(project.site)
    assert second != first
    [found] = second.parents[1].glob("lib/python*/site-packages/tradewind_runtime/dag_check.py")
    assert found.read_text() == "print('another')"


def test_a_package_that_is_nowhere_is_said_with_the_words_of_uv(project: Project) -> None:
    project.site.requirements.write_text("a-package-that-is-nowhere\n")
    with pytest.raises(CommandError, match="a-package-that-is-nowhere") as caught:
        Packages(project).lock(project.site)
    assert caught.value.message.startswith("site/requirements.txt cannot be locked")
    assert not project.site.lock.exists()


def test_tradewind_on_no_index_is_said_with_its_remedy(tmp_path: Path, project: Project) -> None:
    without = project_parts.made(tmp_path / "other", None)
    with pytest.raises(CommandError) as caught:
        Packages(without).lock(without.site)
    assert "set dist in tradewind.toml" in caught.value.remedy


def test_a_dist_that_is_gone_is_named(project: Project, dist: Path) -> None:
    (dist / "constraints.txt").unlink()
    with pytest.raises(CommandError, match="has no packages of Tradewind"):
        Packages(project).lock(project.site)


def test_an_environment_is_made_once_for_a_lock(project: Project) -> None:
    said: list[str] = []
    first = Packages(project, say=said.append).environment(project.site)
    assert first.exists()
    said.clear()
    assert Packages(project, say=said.append).environment(project.site) == first
    assert said == []


def test_the_interpreter_of_the_command_is_taken_where_uv_finds_none(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = environments.uv_program()
    assert uv is not None
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "uv").symlink_to(Path(uv).resolve())
    monkeypatch.setenv("PATH", str(tmp_path / "only"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert Packages(project).environment(project.site).exists()


# ---- addresses


def address(project: Project, **more: str) -> str:
    Packages(project).lock(project.site)
    return contents.of(project, project.site, **more).address


def test_the_address_is_that_of_the_contents_and_of_nothing_else(project: Project) -> None:
    first = address(project)
    dag = project.site.folder / "dags" / "example.py"
    os.utime(dag, (1, 1))
    (dag.parent / "__pycache__").mkdir()
    (dag.parent / "__pycache__" / "example.pyc").touch()
    (project.site.folder / "dev.env").write_text("SECRET=sesame\n")
    (project.root / "README.md").write_text("another text")
    assert address(project) == first
    text = dag.read_text()
    dag.write_text(text + "# one more line\n")
    assert address(project) != first
    dag.write_text(text)
    assert address(project) == first


@pytest.mark.parametrize(
    "name",
    [
        "site/packages.txt",
        "site/agent.toml",
        "site/Containerfile",
        "plane/timetables/weekly.py",
        "site/plugins/x.py",
    ],
)
def test_each_file_that_goes_into_the_image_changes_its_address(project: Project, name: str) -> None:
    first = address(project)
    file = project.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("# changed\n")
    assert address(project) != first


def test_platform_and_base_change_the_address(project: Project) -> None:
    assert address(project) != address(project, platform="linux/arm64")
    file = project.root / "tradewind.toml"
    first = address(project)
    file.write_text(file.read_text().replace("localhost/tradewind-agent-slim", "registry/base"))
    from tradewind.project import settings

    assert address(settings.read(project.root)) != first


# ---- builds


def test_a_build_without_containers_is_an_environment_that_was_checked(
    tradewind: Any, project: Project
) -> None:
    result = build(tradewind, project, "--builder", "venv")
    assert result.exit_code == 0, result.output
    assert "1 Dags parse in it" in result.output
    again = build(tradewind, project, "--builder", "venv")
    assert again.output.count("nothing changed:") == 2, again.output
    assert "parsing the Dags" not in again.output


def test_a_build_whose_dags_do_not_parse_fails_each_time_and_names_the_file(
    tradewind: Any, project: Project
) -> None:
    (project.site.folder / "dags" / "wrong.py").write_text("raise ValueError\n")
    for _ in range(2):
        result = build(tradewind, project, "site", "--builder", "venv")
        assert result.exit_code == 1
        assert "site/dags/wrong.py: error: ValueError: wrong" in result.output
        assert "1 thing is wrong with the site" in result.output


def test_a_dag_that_the_plane_would_refuse_is_named_until_the_plane_has_what_it_needs(
    tradewind: Any, project: Project
) -> None:
    (project.site.folder / "dags" / "each_week.py").write_text("schedule = Weekly()\n")
    result = build(tradewind, project, "site", "--builder", "venv")
    assert result.exit_code == 1
    assert "site/dags/each_week.py: error: the plane would refuse it: no weekly" in result.output
    assert "    Is it there?\n" in result.output
    (project.plane.folder / "plugins" / "weekly.py").touch()
    assert build(tradewind, project, "site", "--builder", "venv").exit_code == 0


def test_without_the_planes_image_its_part_of_the_check_is_left_for_later(
    tradewind: Any, project: Project, podman: FakeBuilder
) -> None:
    alone = build(tradewind, project, "site", "--builder", "podman")
    assert "the plane's image is not built here" in alone.output
    both = build(tradewind, project, "--builder", "podman")
    assert "site: built" in both.output, "checked again, now with the plane"
    assert any("tradewind_provider.dag_check" in call for call in podman.calls("run"))


def test_a_site_whose_airflow_is_newer_than_the_planes_is_not_built(
    tradewind: Any, project: Project, podman: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_AIRFLOW", "3.4.0")
    result = build(tradewind, project, "site", "--builder", "podman", "--push", "r.example.com")
    assert result.exit_code == 1
    assert "newer than the plane's 3.3.2" in result.output
    assert podman.calls("push") == []


def test_an_image_is_built_of_staged_files_and_only_once(
    tradewind: Any, project: Project, podman: FakeBuilder
) -> None:
    (project.site.folder / "dev.env").write_text("SECRET=sesame\n")
    (project.plane.folder / "timetables" / "weekly.py").write_text("")
    assert build(tradewind, project, "--builder", "podman").exit_code == 0
    again = build(tradewind, project, "--builder", "podman")
    assert again.output.count("nothing changed:") == 2, again.output
    plane, site = podman.calls("build")
    assert "BASE=localhost/tradewind-plane:0.1.0" in plane
    assert {"--format", "--timestamp"} <= set(site)
    context = podman.context()
    assert {
        "Containerfile",
        "dags/example.py",
        "plugins/weekly.py",
        "requirements.lock",
        "agent.toml",
    } <= set(context)
    assert "dev.env" not in " ".join(context)
    assert not any("sesame" in " ".join(call) for call in podman.calls("run"))


def test_a_base_that_is_not_here_is_named_with_what_makes_it(
    tradewind: Any, project: Project, podman: FakeBuilder
) -> None:
    podman.images()
    result = build(tradewind, project, "--builder", "podman")
    assert result.exit_code == 1
    assert "does not have the base image localhost/tradewind-plane:0.1.0" in result.output
    assert "images/build agent-slim" in result.output
    assert podman.calls("build") == []


def test_the_image_is_pushed_under_its_address_and_told_by_digest(
    tradewind: Any, project: Project, podman: FakeBuilder
) -> None:
    result = build(
        tradewind, project, "site", "--builder", "podman", "--push", "r.example.com/team/", "-o", "json"
    )
    assert result.exit_code == 0, result.output
    [told] = json.loads(result.stdout)["built"]
    assert told["pushed"] == f"r.example.com/team/shop-site@sha256:{'a' * 64}"
    [push] = podman.calls("push")
    assert push[-1] == f"docker://r.example.com/team/shop-site:{told['address']}"


def test_the_first_builder_that_works_is_taken(podman: FakeBuilder) -> None:
    found = builders.chosen("auto", which=lambda name: name if name == "podman" else None)
    assert found is not None
    assert found.name == "podman"
    assert builders.chosen("auto", which=lambda name: None) is None


def test_a_builder_that_is_not_here_and_a_push_of_an_environment_are_refused(
    tradewind: Any, project: Project
) -> None:
    with pytest.raises(CommandError, match="nerdctl is not installed") as caught:
        builders.chosen("nerdctl", which=lambda name: None)
    assert "--builder venv" in caught.value.remedy
    result = build(tradewind, project, "--builder", "venv", "--push", "registry.example.com")
    assert result.exit_code == 2
    assert "cannot be pushed" in result.output


# ---- the plane's archive


def test_scenario_27_the_same_project_has_the_same_digest_wherever_and_however_it_lies(
    tmp_path: Path, project: Project, dist: Path, tradewind: Any
) -> None:
    """Another folder, another order of files, another umask and other times."""
    (project.plane.folder / "plugins" / "two.py").write_text("TWO = 2\n")
    digests = []
    for place in ("one", "two"):
        with directories.umask(0o077 if place == "two" else 0o022):
            other = project_parts.made(tmp_path / place / "shop", dist)
            (other.plane.folder / "plugins" / "two.py").write_text("TWO = 2\n")
            result = build(tradewind, other, "plane", "--builder", "venv", "-o", "json")
        assert result.exit_code == 0, result.output
        digests.append(json.loads(result.stdout)["built"][0]["digest"])
    os.utime(project.plane.folder / "plugins" / "two.py", (1, 1))
    Packages(project).lock(project.plane)
    digests.append(plane_archive.of(project).digest)
    assert len(set(digests)) == 1 and plane_archives.DIGEST.fullmatch(digests[0])
    (project.plane.folder / "timetables" / "month_ends.py").write_text("# another\n")
    assert plane_archive.of(project).digest not in digests


def test_the_archive_holds_the_planes_code_and_nothing_of_the_site(project: Project) -> None:
    Packages(project).lock(project.plane)
    archive = plane_archive.of(project)
    assert {"requirements.lock", "plugins/month_ends.py", "plugins/README.md"} <= set(archive.files)
    wheels = {name for name in archive.files if name.startswith("dist/")}
    assert wheels == {"dist/tradewind_provider-0.1.0-py3-none-any.whl"}, (
        "what the lock names, and no other part's"
    )
    assert not [name for name in archive.files if "dags" in name or "agent.toml" in name]
    target = io.BytesIO()
    archive.write(target)
    target.seek(0)
    read = plane_archives.check(target)
    assert (read.digest, read.airflow, read.python) == (archive.digest, "3.3.2", project_parts.PYTHON)


def test_a_package_from_an_address_is_not_deployed(project: Project) -> None:
    lock = Packages(project).lock(project.plane)
    lock.write_text(f"{lock.read_text()}other @ https://example.com/other-1.0-py3-none-any.whl\n")
    with pytest.raises(CommandError, match="cannot be deployed: requirements.lock, line") as caught:
        plane_archive.of(project)
    assert "by version" in caught.value.remedy
