"""What holds for every test."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from xdist.scheduler import LoadScopeScheduling

from support import airflow_home, directories, skips

airflow_home.use_one_of_its_own()

# What is imported stays, and what the collecting of tests leaves is little: to look through it again and again takes seconds.
gc.disable()

collect_ignore_glob = ["packages/*/src/*"]  # the tests in a new project's template are run by that project

# How long an example takes says something of the machine and of what else it does; a test that hangs has its timeout.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

if not os.environ.get("TRADEWIND_TEST_EXAMPLES") and not os.environ.get("TRADEWIND_TEST_WALKS"):
    # Hypothesis would draw from the constants of all our modules that happen to be imported: a seed would lead to other examples in
    # another process. And to read the modules, and to hold each constant against each field, takes longer than many a search.
    assert providers._get_local_constants
    providers._get_local_constants = lambda: providers._local_constants

_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|tw_(agent|session|local)_[\w-]{20}|\d{10}\.\d")


def pytest_make_parametrize_id(config: pytest.Config, val: Any, argname: str) -> str | None:
    """Name a parameter that holds a fresh id or credential after its argument: names are the same in every process."""
    return argname if isinstance(val, str) and _RANDOM.search(val) else None


@pytest.fixture(autouse=True)
def _what_the_next_test_starts_with() -> Iterator[None]:
    """A test that leaves another umask or working directory fails itself, and not one that happens to come after it."""
    before = os.getcwd()
    with directories.umask(0o022):
        yield
        left = os.umask(0o022), os.getcwd()
        os.chdir(before)
    assert left == (0o022, before), "this test leaves another umask or working directory behind"


class Files(LoadScopeScheduling):  # type: ignore[misc]
    """`--dist loadfile`, but that a folder with real planes is run by one process: its tests share them."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file.rpartition("/")[0] if file.startswith(("tests/on_airflow/", "tests/backends/")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files | None:
    return Files(config, log) if config.option.dist == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        gc.enable()  # others collect the tests


def pytest_collection_finish() -> None:
    # Airflow and some thousand tests stay as long as the process does: the collector of garbage need not look through them,
    # nor so often through what a test makes.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()
    # Tests, and what they start, keep nothing that they have compiled: of a Dag file that is changed twice within a second, to a text
    # as long, the byte code of the first would be taken for the second's.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    # pytest has just looked for what is left to collect, and does so again: through all that stays, for seconds.
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if skips.ASKED and (found := skips.unexpected(terminalreporter.getreports("skipped"))):
        terminalreporter.section("skipped, although every tool is there", red=True, bold=True)
        for line in found:
            terminalreporter.line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if skips.ASKED and exitstatus == 0 and reporter and skips.unexpected(reporter.getreports("skipped")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
