"""`python -m tradewind_runtime.doctor`: whether this task environment can do its work, asked by the agent's doctor.

Reads the same `Configure` that a component's process gets, on standard input; prints one line of JSON for each check behind a mark.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, Final

from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment, versions
from tradewind_runtime.dags import bundle_fetches
from tradewind_runtime.time_limits import TimeIsUp, TimeLimits

MARK: Final = "tradewind-doctor "

SECRETS, STORE, BUNDLE = 120.0, 40.0, 60.0
"""Seconds for the secrets backends, for one store, and for one bundle, at the most. Google's client asks a Secret Manager that
limits it for 60 seconds before it says so: a check that ends earlier cannot tell that from one that is away. The other 60 are for
importing what tasks import, and Google's client, on a busy machine."""

TOGETHER: Final = 220.0
"""Seconds for all checks, unless the agent says otherwise: it stops waiting a little later."""

Look = Callable[[Callable[[str], None]], str]
"""A check: told how to say what it does, it returns its evidence."""


def main() -> int:
    """Exit status 0 when the checks could be made, whatever they say."""
    configure = Configure.model_validate_json(sys.stdin.read())
    limits = TimeLimits(float(configure.options.get("seconds") or TOGETHER))
    for result in examine(configure, limits):
        print(MARK + json.dumps(result), flush=True)  # noqa: T201 (this is the answer)
    if limits.gave_up:
        _leave()
    return 0


def _leave() -> None:
    """End this process, and what checks that were given up have started: a clone, say, goes on for minutes."""
    if os.getsid(0) == os.getpid():  # the agent starts this program in a session of its own
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def examine(configure: Configure, limits: TimeLimits) -> Iterator[dict[str, str]]:
    """Every check of this environment. Each ends in its time, or is given up."""
    if find_spec("airflow") is None:
        yield _failed(
            "environment",
            f"{sys.executable} has no Airflow",
            "install apache-airflow-core into this task environment, of the plane's minor version",
        )
        return
    try:
        environment.prepare(configure)
        from tradewind_runtime.airflow import inspection
    except Exception as error:
        yield _failed(
            "environment",
            f"Airflow cannot be imported: {_said(error)}",
            "Correct this environment's Airflow configuration or its packages",
        )
        return
    airflow = versions.installed("apache-airflow-core")
    yield {
        "check": "environment",
        "verdict": "ok",
        "evidence": f"Python {platform.python_version()}, Airflow {airflow}, "
        f"tradewind-runtime {versions.installed('tradewind-runtime')} ({sys.executable})",
        "airflow": airflow,
    }
    yield _made(
        limits,
        SECRETS,
        "secrets",
        functools.partial(
            inspection.secrets_backends,
            configure.options.get("read_connections") or (),
            configure.options.get("read_variables") or (),
        ),
        "Check [secrets] backend and backend_kwargs in this environment, and what they need to sign in",
    )
    yield from stores(limits)
    yield _made(
        limits,
        STORE,
        "accelerators",
        lambda tell: _accelerators(configure),
        "Set `accelerators` in the agent's settings",
    )
    if configure.options.get("bundles"):
        yield from _bundles(inspection, limits)


def stores(limits: TimeLimits) -> Iterator[dict[str, str]]:
    """The checks of the stores of values, state and logs."""
    from tradewind_runtime.airflow import storage_inspection

    for check, look, remedy in storage_inspection.CHECKS:
        yield _made(limits, STORE, check, look, remedy)


def _accelerators(configure: Configure) -> str:
    """Which of the worker process's would be on, and why others would not. Installs none."""
    from tradewind_runtime.accelerators import table

    switch = table.switch(configure)
    reasons = {each.name: switch.reason(each) for each in table.of_worker(configure)}
    on = ", ".join(name for name, reason in reasons.items() if reason is None) or "none"
    off = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason is not None)
    return f"on in a worker process: {on}" + (f". Off: {off}" if off else "")


def _bundles(inspection: Any, limits: TimeLimits) -> Iterator[dict[str, str]]:
    from tradewind_runtime.airflow import site_settings

    if problem := site_settings.bundles()[1]:
        yield _failed(
            "bundle", problem, "Install what it needs, or correct `bundles` in the agent's settings"
        )
        return
    try:
        names = inspection.bundle_names()
    except Exception as error:
        yield _failed(
            "bundle", f"the list cannot be read: {_said(error)}", "Correct `bundles` in the agent's settings"
        )
        return
    if not names:
        yield _failed(
            "bundle", "there is none: this agent parses no Dags and gets no work of one", "Set `bundles`"
        )
    # into a folder of its own: a clone that is there already says nothing of whether the repository can be read
    # a fetch that was given up may still write there
    with tempfile.TemporaryDirectory(prefix="tradewind-doctor-", ignore_cleanup_errors=True) as folder:
        kept = site_settings.fetch_into(folder)
        for name in names:
            yield _fetched(limits, name, functools.partial(inspection.bundle, name, kept))


def _fetched(limits: TimeLimits, name: str, look: Look) -> dict[str, str]:
    from tradewind_runtime.airflow import secrets_masker

    try:
        return {"check": f"bundle:{name}", "verdict": "ok", "evidence": limits.run(BUNDLE, look)}
    except TimeIsUp as error:
        return _given_up(f"bundle:{name}", error, limits)
    except Exception as error:
        said = secrets_masker.masked(bundle_fetches.words(error))
        return _failed(f"bundle:{name}", said, bundle_fetches.remedy(said))


def _made(limits: TimeLimits, most: float, check: str, look: Look, remedy: str) -> dict[str, str]:
    try:
        evidence = limits.run(most, look)
        if worry := getattr(evidence, "remedy", ""):
            return {"check": check, "verdict": "warning", "evidence": str(evidence), "remedy": worry}
        return {"check": check, "verdict": "ok", "evidence": evidence}
    except TimeIsUp as error:
        return _given_up(check, error, limits)
    except Exception as error:
        known = getattr(error, "remedy", "")
        return _failed(check, str(error)[:800] if known else _said(error), known or remedy)


def _given_up(check: str, error: TimeIsUp, limits: TimeLimits) -> dict[str, str]:
    if not error.seconds:
        return {
            "check": check,
            "verdict": "skipped",
            "evidence": f"not looked at: the checks before it took all of {limits.seconds:g} s",
            "remedy": "Do what they say, and run the doctor again",
        }
    return _failed(
        check,
        f"{error.step or 'this check'}: {error.args[0]}",
        "Open the way to it from this site (its name, a proxy, a firewall, a private endpoint), or correct its address. "
        "The doctor waits no longer; tasks and the dag processor may",
    )


def _failed(check: str, evidence: str, remedy: str) -> dict[str, str]:
    return {"check": check, "verdict": "failed", "evidence": evidence, "remedy": remedy}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:800]


if __name__ == "__main__":
    sys.exit(main())
