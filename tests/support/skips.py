"""Tests that are skipped although the machine was given every tool they ask for (`make test-tools`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pytest

ASKED = os.environ.get("TRADEWIND_TEST_SKIPS") == "fail"
"""Whether an unexpected skip fails the session, as in CI."""

EXPECTED = (
    "of the whole suite",  # by `make test`, which runs a core
    "asked for with",
    "`make ui-pictures`",
    "there is no earlier minor",
    "no OpenTelemetry Collector on this machine",  # it is built from Go modules
    "Helm 3 is not built",  # as above
    "the chart of Airflow is not fetched",  # it is in no package index
    "none are kept",  # of the database
    "neither Terraform nor OpenTofu",  # neither is in a package index
    "needs root and a writable cgroup",  # of the machine, not of what is installed
    "network namespaces need",
    "mounting a small file system",
    "only root ",
    "this machine lets nobody mount file systems",
    "becoming other users needs",
    "what reads Gateway API's rules needs Python 3.11",
    "immortal objects need Python 3.12",
    "two machines of one processor need",
    "other users can run neither",
)
"""How the reasons begin that are right on some machine or in some suite, with every tool installed."""


def unexpected(skipped: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Each skip that a tool, or a mistake, is the reason of: its test and its reason."""
    found = []
    for report in skipped:
        reason = _reason(report.longrepr)
        if not reason.startswith(EXPECTED):
            found.append(f"{report.nodeid}: {reason}")
    return found


def _reason(longrepr: object) -> str:
    text = str(longrepr[2]) if isinstance(longrepr, Sequence) and len(longrepr) == 3 else str(longrepr)
    return text.removeprefix("Skipped: ")
