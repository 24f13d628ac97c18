"""What is put in the outbox is there until the plane has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tradewind_agent.state.outbox import Outbox

ONE, TWO = UUID(int=1), UUID(int=2)


def put(outbox: Outbox, attempt_id: UUID, kind: str = "state", body: bytes = b"{}", epoch: int = 1) -> bool:
    return outbox.put(kind=kind, attempt_id=attempt_id, epoch=epoch, method="POST", path="/x", body=body)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def opened(path: Path) -> Outbox:
    return Outbox(path, now=lambda: 100.0)


def test_entries_of_one_attempt_are_due_one_after_the_other_and_attempts_side_by_side(path: Path):
    with opened(path) as outbox:
        put(outbox, ONE, "state", b"1")
        put(outbox, ONE, "finish", b"2")
        put(outbox, TWO, "finish", b"3")
        assert [entry.body for entry in outbox.due()] == [b"1", b"3"]
        outbox.settled(outbox.due()[0].seq)
        assert [entry.body for entry in outbox.due()] == [b"2", b"3"]


def test_of_two_outcomes_the_first_counts(path: Path):
    with opened(path) as outbox:
        assert put(outbox, ONE, "finish", b"first")
        assert not put(outbox, ONE, "finish", b"second")
        assert put(outbox, ONE, "finish", b"of a later grant", epoch=2)
        assert [entry.body for entry in outbox.due()] == [b"first"]


def test_entries_outlive_a_process_that_is_killed(path: Path):
    program = f"""
import os, signal
from pathlib import Path
from uuid import UUID
from tradewind_agent.state.outbox import Outbox
outbox = Outbox(Path({str(path)!r}), now=lambda: 1.0).__enter__()
outbox.put(kind="finish", attempt_id=UUID(int=1), epoch=1, method="POST", path="/x", body=b"kept", headers={{"a": "b"}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with opened(path) as outbox:
        (entry,) = outbox.due()
        assert (entry.body, entry.headers, entry.attempt_id, entry.at) == (b"kept", {"a": "b"}, ONE, 1.0)


async def test_what_is_left_from_an_earlier_life_is_news(path: Path):
    with opened(path) as outbox:
        put(outbox, ONE)
    with opened(path) as outbox:
        await outbox.wait()
        assert outbox.unfinished() == {ONE}


def test_only_its_owner_can_read_it(path: Path):
    with opened(path) as outbox:
        put(outbox, uuid4())
        modes = {name: (path.parent / name).stat().st_mode & 0o077 for name in os.listdir(path.parent)}
    assert set(modes.values()) == {0}


def test_content_does_not_show_in_its_repr(path: Path):
    with opened(path) as outbox:
        put(outbox, ONE, body=b"a-value")
        assert "a-value" not in repr(outbox.due())


def test_every_entry_is_put_with_a_full_sync_also_after_one_was_settled(tmp_path: Path):
    with Outbox(tmp_path / "outbox.db", now=lambda: 0.0) as outbox:
        outbox.put(kind="finish", attempt_id=uuid4(), epoch=1, method="POST", path="/x", body=b"")
        outbox.settled(outbox.due()[0].seq)
        assert outbox._connection.execute("pragma synchronous").fetchone() == (2,)  # full
