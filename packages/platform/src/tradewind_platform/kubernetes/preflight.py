"""Looks at a Deployment of the cluster with the eyes of the image that it shall have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.preflight import Check, Verdict
from tradewind_platform.drivers import new_code
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.kubernetes.backups import ClusterBackups
from tradewind_platform.kubernetes.helm import Release
from tradewind_platform.kubernetes.jobs import Jobs
from tradewind_platform.kubernetes.settings import Image, KubernetesSettings
from tradewind_platform.kubernetes.values import image_of, values
from tradewind_platform.reconciler.driver import Document, StepFailed

FACT: Final = "preflight"
_MARK: Final = "tradewind-preflight "
_LINES: Final = 20
"""The last lines of the pod's log that are read: what Airflow writes on standard error is among them."""

_PROGRAM: Final = f"""
import json, subprocess, sys
from importlib.metadata import version
def run(script):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    last = (done.stderr.strip().splitlines() or ["no output"])[-1][:500]
    return {{"code": done.returncode, "printed": done.stdout[-20000:], "error": last}}
scripts = json.loads({json.dumps(json.dumps({"heads": new_code.HEADS, "lint": new_code.LINT}))})
found = {{name: run(script) for name, script in scripts.items()}}
print("{_MARK}" + json.dumps({{"version": version("apache-airflow-core"), **found}}), flush=True)
"""


class Preflight:
    """Changes nothing. A Job with the new image reads the database, so that its image is on a node, too."""

    def __init__(
        self, settings: KubernetesSettings, airflow: AirflowApi, backups: ClusterBackups, jobs: Jobs
    ) -> None:
        self._settings = settings
        self._airflow = airflow
        self._backups = backups
        self._jobs = jobs

    def require(self, document: Document, release: Release) -> Mapping[str, Any]:
        """The table. Raises StepFailed when the upgrade is not to be done, StepWaits while its Job runs."""
        checks = self.checks(document, release)
        if reasons := rules.refused(checks):
            raise StepFailed(reasons, final=True)
        return {FACT: [one.as_fact() for one in checks]}

    def table(self, document: Document, release: Release) -> Mapping[str, Any]:
        """The table, whatever its verdicts. Raises StepWaits while its Job runs."""
        return {FACT: [one.as_fact() for one in self.checks(document, release)]}

    def checks(self, document: Document, release: Release) -> list[Check]:
        wanted = str(document.spec.get("version") or "")
        now = str(document.before.get("version") or "") or self._settings.version
        try:
            image = image_of(document, self._settings)
        except StepFailed as error:
            code = [_refused("image", f"{error}.")]
        else:
            code = self._code(document, release, image, wanted)
        agents = self._airflow.operator(document, "GET", "/agents", params={"limit": 1000})["items"]
        found = [rules.direction(now, wanted), rules.agents(wanted, agents), self._backups.check(document)]
        return [*found, *code]

    def _code(self, document: Document, release: Release, image: Image, wanted: str) -> list[Check]:
        try:
            line = printed_by(self._jobs, document, release, self._settings, what="the preflight Job")
        except StepFailed as error:
            return [_refused("image", f"The new image does not run: {error}.")]
        return of_printed(line, image, wanted)


def printed_by(
    jobs: Jobs, document: Document, release: Release, settings: KubernetesSettings, *, what: str
) -> str:
    """What a Job with the document's image says of it and of the database; the Job is gone afterwards. Raises StepWaits while it
    runs, StepFailed."""
    migration = {"enabled": True, "args": ["python", "-W", "ignore", "-c", _PROGRAM]}
    asked = values(document, settings)
    asked["migration"] = {**asked["migration"], **migration}
    name = jobs.run(release, asked, what=what)
    printed = jobs.printed(name, release, lines=_LINES)
    jobs.delete(name, release)
    marked = [line for line in printed.splitlines() if line.startswith(_MARK)]
    if not marked:
        raise StepFailed(f"the log of {what} could not be read; try again")
    return marked[-1].removeprefix(_MARK)


def of_printed(line: str, image: Image, wanted: str) -> list[Check]:
    """What the Job's line means."""
    found = json.loads(line)
    if found["version"] != wanted:
        why = f"The image {image.named} has Airflow {found['version']}, and not {wanted}."
        return [_refused("image", why, "Name the right one in `plane.versions` of the controller's chart.")]
    heads, lint = found["heads"], found["lint"]
    return [
        Check("image", Verdict.OK, image.named),
        *(
            new_code.of_heads((heads["printed"].strip().splitlines() or [""])[-1])
            if heads["code"] == 0
            else new_code.unreadable(heads["error"])
        ),
        new_code.of_lint(lint["printed"]) if lint["code"] == 0 else new_code.unlinted(lint["error"]),
    ]


def _refused(check: str, message: str, remedy: str = "Correct that first.") -> Check:
    return Check(check, Verdict.REFUSED, message, remedy)
