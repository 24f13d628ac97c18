"""Code on this machine, with the real uv: installed by a user of its own, without running any of it, and kept from its Deployment."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from support import directories, project_parts
from tradewind.embedded import environments
from tradewind.project import plane_archive
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind_platform.local.code import DeployedCode
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_protocol import plane_archives

SYSTEM = Path("/usr/bin/python3.11")
FIRST = 53000
pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@dataclass
class Place:
    """A machine with a Deployment, and a project on it."""

    settings: LocalSettings
    project: Project
    dist: Path

    @property
    def code(self) -> DeployedCode:
        """As of a platform that has just started."""
        return DeployedCode(self.settings)

    def sent(self, **wheels: dict[str, str]) -> Document:
        """The document of a deploy of the project as it is now, with these wheels in its dist."""
        for name, files in wheels.items():
            project_parts.wheel(self.dist, f"tradewind-{name}", "1.0", files)
            self.project.plane.requirements.write_text(f"tradewind-{name}\n")
        Packages(self.project).lock(self.project.plane)
        made, target = plane_archive.of(self.project), io.BytesIO()
        made.write(target)
        received = self.code.archives.incoming()
        received.write_bytes(target.getvalue())
        found = plane_archives.check(io.BytesIO(target.getvalue()))
        self.code.archives.keep("d2345abc", found, received)
        spec = {"deploy": {"id": "1", "digest": made.digest, "image": ""}}
        return Document(UUID(int=1), "d2345abc", 1, "sales", 2, spec, "", "", secrets={})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name, value in project_parts.without_index().items():
        monkeypatch.setenv(name, value)
    with directories.short() as folder:
        dist = project_parts.dist(folder / "dist")
        monkeypatch.setenv("UV_FIND_LINKS", str(dist))  # stands for the index of the platform's machine
        project = project_parts.made(folder / "shop", dist)
        (project.plane.folder / "plugins" / "one.py").write_text("ONE = 1\n")
        (folder / "local").mkdir(mode=0o711)
        uv = Path(str(environments.uv_program())).resolve()
        yield Place(LocalSettings(folder / "local", Path(sys.executable), uv=uv), project, dist)


def said(python: Path, program: str) -> str:
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_has_what_the_lock_names_and_its_plugins_beside_it(place: Place) -> None:
    document = place.sent()
    place.code.fetch(document)
    place.code.build(document)
    python = place.code.python(document)
    assert python is not None
    version = "from importlib.metadata import version; print(version('apache-airflow-core'))"
    assert said(python, version) == "3.3.2"
    folder = Path(place.code.variables(document)["AIRFLOW__CORE__PLUGINS_FOLDER"])
    assert (folder / "one.py").read_text() == "ONE = 1\n" and (folder / "month_ends.py").exists()
    compiled = list((python.parents[1] / "lib").rglob("airflow.*.pyc"))
    assert compiled, "its user could not write byte code"


def test_a_step_that_was_cut_short_is_done_again_and_one_that_was_done_is_not(place: Place) -> None:
    document = place.sent()
    place.code.fetch(document)
    made = place.code.python(document)
    assert made is not None
    made.parents[1].mkdir()
    (made.parents[1] / "half").touch()
    place.code.build(document)
    assert made.exists() and not (made.parents[1] / "half").exists()
    before = made.parents[1].stat().st_mtime_ns
    place.code.fetch(document)
    place.code.build(document)
    place.code.ensure(document)
    assert made.parents[1].stat().st_mtime_ns == before


def test_code_that_is_neither_new_nor_present_goes_and_comes_back_by_itself(place: Place) -> None:
    first = place.sent()
    place.code.ensure(first)
    second_file = place.project.plane.folder / "plugins" / "two.py"
    second_file.write_text("TWO = 2\n")
    second = replace(place.sent(), before=first.spec)
    place.code.fetch(second)
    folder = place.settings.home / "code" / "d2345abc"
    assert len(list(folder.iterdir())) == 2
    second_file.write_text("THREE = 3\n")
    third = replace(place.sent(), before=second.spec)
    place.code.fetch(third)
    assert len(list(folder.iterdir())) == 2
    place.code.ensure(first)
    assert place.code.python(first).exists()  # type: ignore[union-attr]
    place.code.forget(first)
    assert not folder.exists() and not (place.settings.archives / "d2345abc").exists()


def test_the_installers_cache_is_emptied_once_it_is_large_and_environments_keep_their_files(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = place.settings.home / "packages" / "cache"
    document = place.sent(shop={"shop_rules.py": "RULE = 1\n"})
    place.code.ensure(document)
    assert list(cache.rglob("shop_rules.py")), "the next deploy finds what it needs"
    place.code.forget(document)
    monkeypatch.setattr(DeployedCode, "cache_most", 0)
    document = place.sent(shop={"shop_rules.py": "RULE = 1\n"})
    place.code.ensure(document)
    assert not list(cache.rglob("shop_rules.py"))
    python = place.code.python(document)
    assert python is not None and said(python, "import shop_rules; print(shop_rules.RULE)") == "1"


def test_nothing_of_a_package_runs_while_it_is_installed(place: Place) -> None:
    """What a wheel hooks into the start of Python runs with the Deployment's processes only."""
    marker = place.settings.home / "ran"
    hook = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    document = place.sent(hook={"hook.pth": hook, "hooked.py": ""})
    place.code.ensure(document)
    assert not marker.exists()
    python = place.code.python(document)
    assert python is not None
    said(python, "pass")
    assert marker.exists(), "it is there, and would have run"


def test_a_project_of_another_python_is_refused_with_those_that_are_here(place: Place) -> None:
    settings = place.project.root / "tradewind.toml"
    document = place.sent()
    place.code.fetch(document)
    source = place.code.python(document).parents[2] / "source"  # type: ignore[union-attr]
    (source / "plane.json").write_bytes(plane_archives.description("3.99"))
    with pytest.raises(
        StepFailed, match=r"is for Python 3\.99, and the environments of this machine have 3\.1"
    ) as no:
        place.code.build(document)
    assert no.value.final and "tradewind.toml" in str(no.value) and settings.exists()


def test_a_package_that_is_not_there_is_said_with_uvs_words(place: Place) -> None:
    document = place.sent(gone={"gone.py": ""})
    [there] = place.dist.glob("tradewind_gone-*.whl")
    there.unlink()
    place.code.fetch(document)
    source = place.code.python(document).parents[2] / "source"  # type: ignore[union-attr]
    [wheel] = (source / "dist").glob("tradewind_gone-*.whl")
    wheel.unlink()
    with pytest.raises(StepFailed, match=r"(?s)uv pip: .*tradewind-gone"):
        place.code.build(document)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each Deployment a user")
@pytest.mark.skipif(not SYSTEM.exists(), reason=f"no {SYSTEM}, which other users can run")
def test_scenario_27_a_deployment_reads_its_code_and_changes_none_and_another_reads_nothing(
    place: Place,
) -> None:
    place.settings = replace(place.settings, first_user=FIRST, plane_python=SYSTEM)
    settings = place.project.root / "tradewind.toml"
    text = settings.read_text().replace(f'python = "{project_parts.PYTHON}"', 'python = "3.11"')
    settings.write_text(text)
    place.project = replace(place.project, python="3.11")
    document = place.sent()
    with directories.umask(0o077):
        place.code.fetch(document)
        place.code.build(document)
    python = place.code.python(document)
    assert python is not None
    plugin = python.parents[2] / "source" / "plugins" / "one.py"

    def may(user: int, *command: str) -> bool:
        done = subprocess.run([*command], user=user, group=user, extra_groups=[], capture_output=True)
        return done.returncode == 0

    own, another = FIRST + 1, FIRST + 2
    assert may(own, str(python), "-c", "import airflow") and may(own, "cat", str(plugin))
    for path in (plugin, plugin.parent, python, python.parents[1] / "lib", *python.parents[1:4]):
        assert not may(own, "test", "-w", str(path)), path
    assert not may(another, "cat", str(plugin)) and not may(another, "test", "-x", str(python))
    for path in (place.settings.archives, place.settings.home / "packages"):
        assert not may(own, "ls", str(path)), path
    assert python.parents[1].stat().st_uid == FIRST, "no Deployment's user, and not root"
