"""Environments made from a checkout: of wheels, kept as long as nothing changed, apart from those of other sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tradewind.embedded.environments import Checkout, Released

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

CHECKOUT = Path(__file__).parents[3]
PROJECT = """
[project]
name = "tradewind-sample"
version = "0.1.0"
dependencies = [{dependencies}]
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["src/tradewind_sample"]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one package, whose environment has been made."""
    root = tmp_path_factory.mktemp("template")
    tools = root / ".tools" / "bin"
    tools.mkdir(parents=True)
    if (CHECKOUT / ".tools" / "bin" / "uv").exists():
        (tools / "uv").symlink_to(CHECKOUT / ".tools" / "bin" / "uv")
    source = root / "packages" / "sample" / "src" / "tradewind_sample"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("VALUE = 1\n")
    declares(root)
    (root / "requirements.lock").write_text((CHECKOUT / "requirements.lock").read_text())
    made(root)
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(template, tmp_path / "checkout", symlinks=True)


def declares(root: Path, *dependencies: str) -> None:
    project = PROJECT.format(dependencies=json.dumps(dependencies)[1:-1])
    (root / "packages" / "sample" / "pyproject.toml").write_text(project)


def made(root: Path) -> Path:
    return Checkout(root).environment("sample", ("sample",))


def says(interpreter: Path, code: str) -> str:
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


def test_an_environment_has_the_wheel_compiled_and_not_the_sources(root: Path) -> None:
    code = "import tradewind_sample as s, os; print(s.__file__, os.path.exists(s.__cached__))"
    file, compiled = says(made(root), code).split()
    assert "site-packages" in file
    assert compiled == "True"


def test_what_did_not_change_is_there_already(root: Path) -> None:
    first = made(root)
    said: list[str] = []
    assert Checkout(root, say=said.append).environment("sample", ("sample",)) == first
    assert said == []


def test_changed_sources_get_an_environment_of_their_own_and_leave_the_other_as_it_is(root: Path) -> None:
    before = made(root)
    (root / "packages/sample/src/tradewind_sample/__init__.py").write_text("VALUE = 2\n")
    after = made(root)
    asks = "import tradewind_sample; print(tradewind_sample.VALUE)"
    assert (says(before, asks), says(after, asks)) == ("1", "2")


def test_what_a_package_comes_to_declare_is_installed_in_the_locked_version(root: Path) -> None:
    made(root)
    declares(root, "click")
    version = says(made(root), "import importlib.metadata as m; print(m.version('click'))")
    assert f"\nclick=={version} " in (root / "requirements.lock").read_text()


def test_two_processes_that_ask_at_once_get_the_same_whole_environment(root: Path) -> None:
    with ProcessPoolExecutor(2) as processes:
        first, second = processes.map(made, [root, root])
    assert first == second
    assert says(first, "import tradewind_sample; print(tradewind_sample.VALUE)") == "1"


def test_an_environment_that_was_not_finished_is_made_anew(root: Path) -> None:
    whole = made(root)
    (whole.parents[1] / ".complete").unlink()
    [package] = whole.parents[1].glob("lib/python*/site-packages/tradewind_sample/__init__.py")
    package.unlink()
    assert says(made(root), "import tradewind_sample; print(tradewind_sample.VALUE)") == "1"


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, template: Path) -> None:
    """One that finds the wheels of the sample checkout and nothing else; without uv on the path, it is pip."""
    path = "/usr/bin:/bin" if request.param == "pip" else f"{template}/.tools/bin:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    [wheel] = Checkout(template).wheels()
    for each in ("UV", "PIP"):
        monkeypatch.setenv(f"{each}_NO_INDEX", "1")
        monkeypatch.setenv(f"{each}_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr("tradewind.embedded.environments.RELEASED", {"agent": "tradewind-sample"})


@pytest.mark.skipif(sys.platform != "linux", reason="the agent runs on Linux")
def test_a_released_distribution_is_installed_alone(tmp_path: Path, installer: None) -> None:
    released = Released("0.1.0", kept=tmp_path / "kept")
    assert says(released._environment("agent"), "import tradewind_sample as s; print(s.VALUE)") == "1"


@pytest.mark.parametrize("installer", ["uv"], indirect=True)
def test_a_released_version_that_the_index_does_not_have_is_named(tmp_path: Path, installer: None) -> None:
    with pytest.raises(RuntimeError, match=r"tradewind-sample==9\.9"):
        Released("9.9", kept=tmp_path).environments()
