"""An interpreter of an environment whose Airflow starts in a moment: it has a database, health pages and the two processes of a plane.

For tests of the local driver with real processes. `install` makes one for a version of Airflow; run as a script, it is that Airflow.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path


def install(directory: Path, version: str) -> Path:
    """The interpreter. Its migration fails, with the database changed, once there is a file `poison` in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / "python"
    made.write_text(
        f'#!/bin/sh\nexport STUB_VERSION={version} STUB_HOME={directory}\nexec {sys.executable} {__file__} "$@"\n'
    )
    made.chmod(0o755)
    return made


UV = """#!{python}
import pathlib, re, sys
import support.stub_airflow as stub
verb, *given = sys.argv[1:]
if verb == "venv":
    pathlib.Path(given[-1], "bin").mkdir(parents=True)
    pathlib.Path(given[-1], "lib").mkdir()
else:
    lock = pathlib.Path(given[given.index("--requirement") + 1]).read_text()
    python = pathlib.Path(given[given.index("--python") + 1])
    version = re.search("apache-airflow-core==([0-9.]+)", lock)[1]
    stub.install(python.parent.parent / "stub", version).rename(python)
"""
"""Stands for uv: its environments have the stub, of the version that is locked."""


def uv(directory: Path) -> Path:
    """A program that makes environments as the local driver asks for them."""
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / "uv"
    tests = Path(__file__).parents[1]
    made.write_text(
        UV.format(python=sys.executable).replace(
            "import pathlib", f"import sys; sys.path.insert(0, {str(tests)!r})\nimport pathlib", 1
        )
    )
    made.chmod(0o755)
    return made


def _plugin() -> str:
    """The text of the plugin that was deployed."""
    folder = os.environ.get("AIRFLOW__CORE__PLUGINS_FOLDER")
    file = Path(folder or "/nonexistent") / "plugin.py"
    return file.read_text() if file.exists() else ""


def _database() -> sqlite3.Connection:
    return sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", timeout=30)


def _migrate() -> None:
    version = os.environ["STUB_VERSION"]
    poison = Path(os.environ["STUB_HOME"]) / "poison"
    with _database() as database:
        database.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS dag_run (run_id TEXT)")
        database.execute("DELETE FROM alembic_version")
        database.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        if poison.exists():
            database.execute("DROP TABLE dag_run")
    if poison.exists():
        sys.exit("no such column: poisoned")


def _serve(port: int) -> None:
    if (Path(os.environ["STUB_HOME"]) / "crash").exists():
        sys.exit("the API server has no room to start")
    if "crash" in _plugin():
        sys.exit("the plugin ends the API server")
    import stub_pages  # takes longer to import than all that the other processes do

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    stub_pages.serve(port, _database)


def _schedule() -> None:
    (Path(os.environ["AIRFLOW_HOME"]) / "scheduler.pid").write_text(str(os.getpid()))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Event().wait()


def _script(text: str, arguments: list[str]) -> None:
    if "apache-airflow-core" in text:
        print(os.environ["STUB_VERSION"])
    elif "sys.version_info" in text:
        exec(text, {})
    elif "_get_alembic_config" in text:
        with _database() as database:
            head = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        heads = {
            "code": {"alembic_version": [os.environ["STUB_VERSION"]]},
            "plugins": ["plugin.py"] * ("raise" in _plugin()),
        }
        print(
            json.dumps({**heads, "database": {"alembic_version": head}, "known": {"alembic_version": True}})
        )
    elif "sqlite3" in text:
        sys.argv = ["-c", *arguments]
        exec(text, {})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["-m", "airflow", "db", "migrate"]:
            _migrate()
        case ["-m", "airflow", "api-server", "--host", _, "--port", port]:
            _serve(int(port))
        case ["-m", "airflow", "scheduler"]:
            _schedule()
        case ["-c", text, *more] | ["-W", "ignore", "-c", text, *more]:
            _script(text, more)
        case other:
            sys.exit(f"not known: {other}")
