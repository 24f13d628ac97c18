"""What real planes, agents and tasks of these tests are installed in: an environment each, with what each declares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.installed import environments

OURS = {
    "plane": {"tradewind-protocol", "tradewind-provider"},
    "agent": {"tradewind-protocol", "tradewind-agent"},
    "tasks": {"tradewind-protocol", "tradewind-runtime"},
}


def installed(role: str) -> dict[str, bool]:
    """The distributions in that environment by name, and whether each is editable."""
    asks = (
        "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): "
        "'\"editable\": true' in (d.read_text('direct_url.json') or '') for d in m.distributions()}))"
    )
    told = subprocess.run(
        [str(interpreter(role)), "-c", asks], capture_output=True, text=True, check=True, cwd="/"
    )
    return dict(json.loads(told.stdout))


def interpreter(role: str) -> Path:
    found = getattr(environments(), role)
    assert isinstance(found, Path)
    return found


@pytest.mark.parametrize("role", OURS)
def test_an_environment_has_the_wheels_of_its_role_and_no_others_of_ours(role: str) -> None:
    found = {name: editable for name, editable in installed(role).items() if name.startswith("tradewind")}
    assert found == dict.fromkeys(OURS[role], False)


def test_the_agents_environment_has_no_airflow() -> None:
    assert not {name for name in installed("agent") if "airflow" in name}


@pytest.mark.parametrize("role", OURS)
def test_every_module_of_ours_can_be_imported_with_what_its_distribution_declares(role: str) -> None:
    imports_all = (
        "import importlib, pkgutil, sys\n"
        "package = importlib.import_module(sys.argv[1])\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    if not found.name.rpartition('.')[2] in ('__main__', 'env') and '.versions.' not in found.name:\n"
        "        importlib.import_module(found.name)\n"
    )
    for name in OURS[role]:
        told = subprocess.run(
            [str(interpreter(role)), "-c", imports_all, name.replace("-", "_")],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert told.returncode == 0, told.stderr
