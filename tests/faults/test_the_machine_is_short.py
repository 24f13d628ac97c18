"""The agent's machine is short of something: disk, descriptors, the right time. Work waits; nothing is lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from faults.fleet import Fleet, in_full
from support.journal import ran_once
from support.patience import eventually

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system with little more room than the agent's check asks for."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=240m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is left; the file that does."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast


@in_full
def test_a_full_disk_shows_holds_outcomes_back_and_heals_by_itself(fleet: Fleet, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        site = fleet.agent("site", state_dir=str(disk / "state"))
        run_id = fleet.start("patient_4", seconds=5)
        fleet.journal.wait_for_spans(4, timeout=60, run=run_id)
        ballast = fill(disk)
        fleet.journal.wait_for_spans(4, timeout=60, ended=True, run=run_id)
        eventually(
            lambda: "disk" in findings(fleet, "site"), timeout=60, what=lambda: findings(fleet, "site")
        )
        ballast.unlink()
        assert fleet.finished("patient_4", run_id).state == "success"
        ran_once(fleet.spans(run_id), 4)
        fleet.slots_are_back("site", timeout=60)
        eventually(lambda: "disk" not in findings(fleet, "site"), timeout=60, what="the finding goes")
        assert site.process.running
        site.process.signal(signal.SIGTERM)
        assert site.process.wait(60) == 0


def findings(fleet: Fleet, name: str) -> str:
    (session,) = [row for row in fleet.sessions(name) if row.ended_at is None]
    return str(session.findings)


@in_full
def test_an_agent_out_of_file_descriptors_recovers_by_itself(fleet: Fleet) -> None:
    site = fleet.agent("site")
    run_id = fleet.start("patient_4", seconds=10)
    fleet.journal.wait_for_spans(4, timeout=60, run=run_id)
    process = psutil.Process(site.process.pid)
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds(), before[1]))
    fleet.journal.wait_for_spans(4, timeout=60, ended=True, run=run_id)
    process.rlimit(resource.RLIMIT_NOFILE, before)
    assert fleet.finished("patient_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    again = fleet.start("work_4", seconds=0)
    assert fleet.finished("work_4", again).state == "success"
    fleet.slots_are_back("site", timeout=60)


@in_full
@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (Debian: apt-get install faketime)")
@pytest.mark.parametrize("skew", ["+600", "-600"])
def test_a_clock_ten_minutes_off_changes_nothing(fleet: Fleet, skew: str) -> None:
    off = {"LD_PRELOAD": os.fspath(FAKETIME or ""), "FAKETIME": skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    fleet.agent("skewed", env=off, process_env=off)
    run_id = fleet.start("again_4", seconds=10)
    assert fleet.finished("again_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    (session,) = fleet.sessions("skewed")
    assert session.ended_at is None
