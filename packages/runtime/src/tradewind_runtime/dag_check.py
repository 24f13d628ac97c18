"""`python -m tradewind_runtime.dag_check`: whether a site's Dags parse in this environment, and what its policy will refuse.

Reads the same `Configure` a dag processor gets, on standard input. Prints one line of JSON for the environment, one for each Dag
file and one for each bundle that cannot be read, behind a mark. No plane is needed: the data boundary answers in its place.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradewind_protocol.boundary import KINDS, Rules
from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_runtime import environment, versions
from tradewind_runtime.dags import config

if TYPE_CHECKING:
    from tradewind_runtime.airflow.dag_check import CheckedFile

MARK: Final = "tradewind-dag-check "
_DEPTH: Final = "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH"


def main() -> int:
    """Exit status 0 when the check could be made, whatever it found."""
    configure = Configure.model_validate_json(sys.stdin.read())
    for line in run(configure):
        print(MARK + json.dumps(line), flush=True)  # noqa: T201 (this is the answer)
    return 0


def run(configure: Configure) -> Iterator[dict[str, Any]]:
    """Every line of the answer.

    `configure.options`: `bundles` as for a dag processor, `rules` (kinds of data that are open although the policy is
    strict), `with_dags` (whether a file's line has its Dags as they leave the site), `environ` (environment variables of the
    check alone; they may be secrets, so they are not on a command line).
    """
    if find_spec("airflow") is None:
        yield {"problem": f"{sys.executable} has no Airflow", "remedy": "Install tradewind-runtime into it"}
        return
    os.environ.update(configure.options.get("environ") or {})
    config.apply(configure.options)
    os.environ.setdefault(_DEPTH, "20")  # so that the line of the Dag file is in the traceback
    environment.prepare(configure)
    from tradewind_runtime.airflow import dag_check, process, site_settings

    process.leave_executors_to_the_plane()
    yield {
        "airflow": versions.installed("apache-airflow-core"),
        "python": platform.python_version(),
        "runtime": versions.installed("tradewind-runtime"),
    }
    if problem := site_settings.bundles()[1]:
        yield {"problem": problem, "remedy": "Install what it needs, or correct `bundles`"}
        return
    with tempfile.TemporaryDirectory(prefix="tradewind-dag-check-") as folder:
        files, problems = dag_check.check(_rules(configure), Path(folder))
    for name, problem in problems.items():
        yield {"problem": f"bundle {name}: {problem}", "remedy": "Correct `bundles`"}
    for file in files:
        yield _line(file, with_dags=bool(configure.options.get("with_dags")))


def _rules(configure: Configure) -> Rules:
    chosen: Mapping[str, str] = configure.options.get("rules") or {}
    kinds: dict[str, Any] = {kind: Policy(chosen.get(kind, configure.policy)) for kind in KINDS}
    return Rules(**kinds)


def _line(file: CheckedFile, *, with_dags: bool) -> dict[str, Any]:
    from tradewind_protocol import boundary

    result = file.result
    line = {
        "bundle": file.bundle,
        "file": result.path,
        "dags": [str(data["dag"].get("dag_id", "")) for data in result.dags],
        "errors": dict(result.import_errors),
        "seconds": result.seconds,
        "requests": [
            {"what": one.what, "cause": one.cause, "remedy": one.remedy, "refused": one.refused}
            for one in file.requests
        ],
    }
    if with_dags:
        line["reduced"] = [boundary.reduced(data, boundary.keyed(b"")).data for data in result.dags]
    return line


if __name__ == "__main__":
    sys.exit(main())
