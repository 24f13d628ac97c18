"""Modules of `ui/src` import in one direction: data, then parts, then pages, then what puts the pages together."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "ui" / "src"
MODULES = sorted(path for path in SOURCES.rglob("*.ts*") if not path.name.endswith(".d.ts"))

LAYERS = ("data", "parts", "pages")  # the lowest first. A module in no such folder puts the pages together
SHOWS_PAGES_OF_AGENTS = "platform/pages/deployment/AgentPages.tsx"


def named(path: Path) -> str:
    return path.relative_to(SOURCES).as_posix()


def is_of_platform(module: str) -> bool:
    return module.startswith("platform/")


def layer(module: str) -> int:
    folder = module.removeprefix("platform/").split("/")[0]
    return LAYERS.index(folder) if folder in LAYERS else len(LAYERS)


def imports(path: Path) -> set[str]:
    """The modules of `ui/src` that this one imports, types included."""
    found: set[str] = set()
    for target in re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8")):
        base = (path.parent / target).resolve()
        files = [base.with_name(base.name + suffix) for suffix in (".ts", ".tsx")]
        found |= {named(file) for file in files if file.is_file() and file.is_relative_to(SOURCES)}
    return found


GRAPH = {named(path): imports(path) for path in MODULES}


@pytest.mark.parametrize("module", GRAPH)
def test_a_module_imports_its_own_layer_and_lower_ones_only(module: str) -> None:
    upwards = {each for each in GRAPH[module] if layer(each) > layer(module)}
    assert not upwards, f"{module} imports {', '.join(sorted(upwards))}"


@pytest.mark.parametrize("module", [each for each in GRAPH if not is_of_platform(each)])
def test_the_plugin_of_airflow_imports_nothing_of_the_platform(module: str) -> None:
    assert not {each for each in GRAPH[module] if is_of_platform(each)}


@pytest.mark.parametrize("module", [each for each in GRAPH if is_of_platform(each)])
def test_one_module_of_the_platform_shows_the_pages_of_agents(module: str) -> None:
    pages = {each for each in GRAPH[module] if each.startswith("pages/")}
    assert not pages or module == SHOWS_PAGES_OF_AGENTS


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert len(list(TopologicalSorter(GRAPH).static_order())) == len(GRAPH)


def test_a_module_is_no_longer_than_two_hundred_lines() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {module for module, lines in lengths.items() if lines > 200}
