"""A distribution declares every distribution whose modules it imports: it is installed where there is nothing else."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = Path(__file__).parents[2] / "packages"
DISTRIBUTIONS = sorted(path.parent.name for path in PACKAGES.glob("*/pyproject.toml"))
NOT_INSTALLED = {"_typeshed": "of type checkers"}
DATA = {
    "tradewind/demo/dags": "Dags, which the tasks' environment imports",
    "tradewind/project/template": "files of a new project, which has environments of its own",
}


def imports(package: str) -> Iterator[tuple[str, Path]]:
    """Each module that a package imports, and where."""
    source = PACKAGES / package / "src"
    for path in source.rglob("*.py"):
        if any(path.relative_to(source).as_posix().startswith(folder) for folder in DATA):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((each.name, path) for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module, path


@cache
def owners() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def distributions(module: str) -> set[str]:
    """The distributions a module may come from."""
    top = module.partition(".")[0]
    if top.startswith("tradewind"):
        return {top.replace("_", "-")}  # editable here, so that its files are not listed
    found = _normalised(owners().get(top, []))
    if top == "google":  # a name that many distributions share, of which some are in extras
        found |= _named_like(module)
    if not module.startswith("airflow.providers."):
        return found or _named_like(module)
    prefix = "apache-airflow-providers-"  # which share the name `airflow`
    named = {prefix + each for each in _named_like(module.removeprefix("airflow.providers."))}
    return found & named or named


def _named_like(module: str) -> set[str]:
    """What may hold a module that is not installed here, as those of extras: `azure.identity` is in azure-identity."""
    parts = module.split(".")
    return _normalised("-".join(parts[:length]) for length in range(1, len(parts) + 1))


def declared(package: str) -> set[str]:
    project = tomllib.loads((PACKAGES / package / "pyproject.toml").read_text())["project"]
    extras = [each for group in project.get("optional-dependencies", {}).values() for each in group]
    named = [re.match(r"[\w.-]+", each) for each in (*project["dependencies"], *extras)]
    return _normalised([found[0] for found in named if found] + [project["name"]])


def _normalised(names: Iterable[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


@pytest.mark.parametrize("package", DISTRIBUTIONS)
def test_a_distribution_declares_what_it_imports(package: str) -> None:
    missing = {
        f"{module} ({path.relative_to(PACKAGES)})"
        for module, path in imports(package)
        if (top := module.partition(".")[0]) not in sys.stdlib_module_names
        and top not in NOT_INSTALLED
        and not (distributions(module) & declared(package))
    }
    assert not missing, f"packages/{package}/pyproject.toml does not declare: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("package", DISTRIBUTIONS)
def test_the_readme_of_a_distribution_names_its_extras(package: str) -> None:
    project = tomllib.loads((PACKAGES / package / "pyproject.toml").read_text())["project"]
    readme = (PACKAGES / package / "README.md").read_text()
    assert [extra for extra in project.get("optional-dependencies", {}) if f"`{extra}`" not in readme] == []
