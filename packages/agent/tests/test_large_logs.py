"""What is sent of a log that is larger than its reader takes, and of lines that are."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind_agent.work import log_windows
from tradewind_agent.work.log_files import LogFiles
from tradewind_agent.work.log_windows import LogWindowGap

LOG = "dag_id=d/run_id=r/task_id=t/attempt=1.log"
Sent = list[bytes | LogWindowGap]


def sent(directory: Path, *texts: bytes, most: int, begin: int = 0, piece: int = 1000) -> Sent:
    """What is sent of a log whose writers are done: a task's, then its triggers'."""
    file = directory / LOG
    file.parent.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        part = file if number == 0 else file.with_name(f"{file.name}.trigger.{number}.log")
        part.write_bytes(text)
        os.utime(part, (1.0, 1.0))
    with LogFiles(directory, LOG) as files:
        return list(log_windows.content(files.files, most=most, piece=piece, begin=begin))


def joined(found: Sent) -> bytes:
    return b"".join(each for each in found if isinstance(each, bytes))


def gaps(found: Sent) -> list[LogWindowGap]:
    return [each for each in found if isinstance(each, LogWindowGap)]


def numbered(count: int) -> bytes:
    return b"".join(b"%06d some words of this line\n" % number for number in range(count))


def test_a_large_log_is_sent_with_its_head_and_its_end(tmp_path: Path) -> None:
    whole = numbered(1000)
    found = sent(tmp_path, whole, most=4000)
    (gap,) = gaps(found)
    assert whole[: gap.begin] + whole[gap.end :] == joined(found)
    assert joined(found).startswith(b"000000 ") and joined(found).endswith(
        b"000999 some words of this line\n"
    )
    assert 2500 < len(joined(found)) <= 4000
    assert whole[gap.begin - 1 : gap.begin] == whole[gap.end - 1 : gap.end] == b"\n", "at ends of lines"


def test_pages_between_head_and_end_join_to_the_whole(tmp_path: Path) -> None:
    whole, trigger = numbered(1000), numbered(100)
    found = sent(tmp_path, whole, trigger, most=4000)
    (gap,) = gaps(found)
    text, at = joined(found)[: gap.begin], gap.begin
    while at < gap.end:
        page = sent(tmp_path, whole, trigger, most=4000, begin=at)
        before, *after = gaps(page)
        assert before == LogWindowGap(0, at), "it says what is before it"
        text += joined(page)
        at = after[0].begin if after else len(whole) + len(trigger)
    assert text == (whole + trigger)[:at] and at >= gap.end


def test_a_log_that_grows_keeps_the_lines_it_is_followed_by(tmp_path: Path) -> None:
    """Airflow follows a log by the number of lines it has shown: nothing may go from before them with each look."""
    most, shown, jumps = 40_000, 0, 0
    for count in range(2000, 3000, 10):
        lines = joined(sent(tmp_path, numbered(count), most=most)).count(b"\n")
        jumps += lines < shown
        shown = lines
    assert jumps <= 4


def test_a_line_longer_than_all_there_is_room_for_stays_a_line_of_json(tmp_path: Path) -> None:
    line = {
        "timestamp": "2026-01-01T00:00:00Z",
        "level": "info",
        "event": "\\u1234\n" * 30_000,
        "logger": "task",
    }
    text = json.dumps(line).encode() + b"\n"
    for whole in (text, numbered(100) + text + numbered(100), numbered(1000) + text):
        for line_sent in joined(sent(tmp_path, whole, most=8000)).splitlines():
            if line_sent.startswith(b"{"):
                shown = json.loads(line_sent)
                assert shown["level"] == "info" and shown["timestamp"] == line["timestamp"]
                assert f"a line of {len(text)} bytes" in shown["event"]
                assert len(line_sent) < 8000
                break
        else:
            assert whole.startswith(b"0") and whole.endswith(b"line\n"), "in the middle it is in the gap"


def test_long_lines_that_have_room_are_sent_as_they_are(tmp_path: Path) -> None:
    whole = b"".join(json.dumps({"event": "x" * 3_000_000}).encode() + b"\n" for _ in range(3))
    assert joined(sent(tmp_path, whole, most=32 * 1024 * 1024, piece=1024 * 1024)) == whole


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), max_size=40), min_size=1, max_size=3),
    st.integers(20, 600),
    st.integers(1, 90),
    st.integers(0, 900),
)
def test_every_byte_is_sent_or_told_of(lengths: list[list[int]], most: int, piece: int, begin: int) -> None:
    texts = [b"".join(b"%d" % (n % 10) * length + b"\n" for n, length in enumerate(each)) for each in lengths]
    whole = b"".join(texts)
    with tempfile.TemporaryDirectory() as directory:
        found = sent(Path(directory), *texts, most=most, piece=piece, begin=begin)
    at = 0
    for each in found:
        if isinstance(each, LogWindowGap):
            assert each.begin == at and each.end > at
            at = each.end
        elif b"cut here" in each:
            at = whole.index(b"\n", at) + 1
        else:
            assert whole[at : at + len(each)] == each
            at += len(each)
    assert at == len(whole)
    room = 2 * most + 300 * sum(b"cut here" in each for each in found if isinstance(each, bytes))
    assert len(joined(found)) <= room
