"""Task environments made for a test: virtualenvs that see this one's packages, under packages of their own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path


def virtualenv(
    directory: Path,
    *,
    packages: Mapping[str, str] | None = None,
    airflow: bool = True,
    base: str = sys.executable,
) -> Path:
    """A virtualenv with one version each of some pure packages, and by default Airflow. Returns its interpreter.

    A package becomes a module that knows its `VERSION`, with the metadata an installer would have written.
    """
    subprocess.run([base, "-m", "venv", "--without-pip", str(directory)], check=True)
    [own] = (directory / "lib").glob("python*/site-packages")
    for name, version in (packages or {}).items():
        module = name.replace("-", "_")
        if name != "apache-airflow-core":
            (own / f"{module}.py").write_text(f"VERSION = {version!r}\n")
        info = own / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    shared = sysconfig.get_paths()["purelib"]
    if airflow:
        (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    return directory / "bin" / "python"


def for_users(directory: Path, users: Sequence[int]) -> Path:
    """An interpreter like this one that those users can run: this one, or one made of the system's Python.

    Raises LookupError when there is none.
    """
    if all(can_run(Path(sys.executable), user) for user in users):
        return Path(sys.executable)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in (f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if Path(base).exists():
            made = virtualenv(directory, base=base)
            if all(can_run(made, user) for user in users):
                return made
    raise LookupError(f"other users can run neither {sys.executable} nor a {name} of the system")


def can_run(interpreter: Path, user: int) -> bool:
    """Whether that user can import Airflow and the agent with it."""
    command = [str(interpreter), "-c", "import airflow.version, tradewind_agent, tradewind_provider"]
    try:
        return subprocess.run(command, user=user, group=user, capture_output=True, cwd="/").returncode == 0
    except PermissionError:
        return False
