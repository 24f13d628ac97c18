"""In CI a skipped test fails the session, unless its reason is one that tools cannot change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


SKIPS = {
    "test": "def test_one(): pytest.skip({!r})\n",
    "module": "pytest.skip({!r}, allow_module_level=True)\n",
}


@pytest.mark.parametrize("what", SKIPS)
@pytest.mark.parametrize(
    ("reason", "asked", "code"),
    [
        ("no such-tool on this machine: `make such-tool`", "fail", 1),
        ("no such-tool on this machine: `make such-tool`", "", 0),
        ("of the whole suite: make test-faults", "fail", 0),
    ],
)
def test_a_skip_for_a_lacking_tool_fails_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, asked: str, code: int, what: str
) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_there.py").write_text("def test_there(): pass\n")
    (tmp_path / "test_one.py").write_text("import pytest\n\n" + SKIPS[what].format(reason))
    monkeypatch.setenv("TRADEWIND_TEST_SKIPS", asked)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:schemathesis", str(tmp_path)]  # as in our own settings
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    named = {"test": "test_one.py::test_one", "module": "test_one.py"}[what]
    assert (f"{named}: {reason}" in done.stdout) == (code == 1)
