"""Task environments made for a test: virtualenvs that see the packages of the tasks' one, under packages of their own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.installed import PLANES_DRIVERS, ROOT, checkout, environments
from tradewind.embedded.environments import WHEELS, Checkout, Environments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def virtualenv(
    directory: Path,
    *,
    packages: Mapping[str, str] | None = None,
    airflow: bool = True,
) -> Path:
    """A virtualenv with one version each of some pure packages, and by default Airflow. Returns its interpreter.

    A package becomes a module that knows its `VERSION`, with the metadata an installer would have written.
    """
    base = environments().tasks
    subprocess.run([str(base), "-m", "venv", "--without-pip", str(directory)], check=True)
    [own] = (directory / "lib").glob("python*/site-packages")
    for name, version in (packages or {}).items():
        module = name.replace("-", "_")
        if name != "apache-airflow-core":
            (own / f"{module}.py").write_text(f"VERSION = {version!r}\n")
        info = own / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if airflow:
        [shared] = base.parents[1].glob("lib/python*/site-packages")
        (own / "shared.pth").write_text(f"import site; site.addsitedir({str(shared)!r})\n")
    return directory / "bin" / "python"


def index_of(interpreter: Path, folder: Path) -> Path:
    """A folder of wheels to install from without a network: `site-libraries` gives a virtualenv what that interpreter has."""
    folder.mkdir(parents=True, exist_ok=True)
    [libraries] = interpreter.parents[1].glob("lib/python*/site-packages")
    info = "site_libraries-1.dist-info"
    files = {
        "site_libraries.pth": f"import site; site.addsitedir({str(libraries)!r})\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: site-libraries\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / "site_libraries-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")))
    return folder


def for_users(directory: Path, *, planes: int, agents: int) -> Environments:
    """Environments that the plane's user and the agent's user can run: the session's, or some of the system's Python.

    Raises LookupError when there are none.
    """
    if _can_run(environments(), planes=planes, agents=agents):
        return environments()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in (Path(f"/usr/bin/{name}"), Path(f"/usr/local/bin/{name}")):
        if base.exists():
            made = Checkout(ROOT, kept=directory, python=base).environments(plane=PLANES_DRIVERS)
            if _can_run(made, planes=planes, agents=agents):
                return made
    raise LookupError(f"other users can run neither {sys.executable} nor a {name} of the system")


def _can_run(made: Environments, *, planes: int, agents: int) -> bool:
    return (
        _imports(made.plane, "tradewind_provider", planes)
        and _imports(made.agent, "tradewind_agent", agents)
        and _imports(made.tasks, "tradewind_runtime", agents)
    )


def _imports(interpreter: Path, module: str, user: int) -> bool:
    """Whether that user can run it and import the module."""
    command = [str(interpreter), "-c", f"import {module}"]
    try:
        return subprocess.run(command, user=user, group=user, capture_output=True, cwd="/").returncode == 0
    except PermissionError:
        return False


def of_cloud(extra: str, *more: str) -> Path:
    """The interpreter of a task environment with one of the extras of `tradewind-runtime`, in the published versions."""
    return with_extra("tasks", WHEELS["tasks"], extra, *more)


def with_extra(name: str, ours: Sequence[str], extra: str, *more: str) -> Path:
    """The same for an environment with others of our packages, or with none."""
    project = tomllib.loads((ROOT / "packages" / "runtime" / "pyproject.toml").read_text())["project"]
    wanted = [*project["optional-dependencies"][extra], *more]
    return checkout().environment(f"{name}-{extra}", ours, wanted, lock=ROOT / "constraints.txt")


def environment_behind() -> Path:
    """The interpreter of a task environment with the newest patch of the Airflow minor before the plane's."""
    return checkout().environment(
        "tasks-behind", ("protocol", "runtime"), lock=ROOT / "constraints-airflow-3.2.txt"
    )


@dataclass(frozen=True)
class Observed:
    """Interpreters of an Airflow without Tradewind, of a plane, and of a site's tasks."""

    stock: Path
    plane: Path
    tasks: Path


@cache
def observed() -> Observed:
    """Interpreters that have what Airflow tells of itself with: OpenLineage's provider and StatsD's client."""
    extras = tomllib.loads((ROOT / "packages" / "runtime" / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    wanted = [*extras["openlineage"], *extras["statsd"]]

    def made(name: str, ours: Sequence[str], *more: str) -> Path:
        return checkout().environment(name, ours, [*wanted, *more], lock=ROOT / "constraints.txt")

    return Observed(
        stock=made("stock-observed", (), "apache-airflow", *PLANES_DRIVERS),
        plane=made("plane-observed", WHEELS["plane"], *PLANES_DRIVERS),
        tasks=made("tasks-observed", WHEELS["tasks"]),
    )
