"""Files in the home of another user: none that its user has linked there is meant."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.embedded.home_files import HomeFiles, LinkFound

USER = 53001
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into another user's directory")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    made = tmp_path / "victim"
    made.write_text("of somebody else\n")
    return made


@root_only
def test_a_link_is_replaced_and_not_written_through(home: Path, victim: Path) -> None:
    for name in ("file", ".file.part"):
        (home / name).symlink_to(victim)
    HomeFiles(home, USER).write("file", "mine")
    assert victim.read_text() == "of somebody else\n" and victim.stat().st_uid == os.geteuid()
    made = (home / "file").lstat()
    assert ((home / "file").read_text(), made.st_uid, made.st_mode & 0o777) == ("mine", USER, 0o600)


@root_only
@pytest.mark.parametrize(
    "put",
    [
        lambda name, victim: name.symlink_to(victim),
        lambda name, victim: name.hardlink_to(victim),
        lambda name, victim: os.mkfifo(name),
        lambda name, victim: name.mkdir(),
    ],
    ids=["link", "hard link", "pipe", "directory"],
)
def test_what_is_no_file_of_its_own_is_neither_read_nor_written(
    home: Path, victim: Path, put: Callable[[Path, Path], None]
) -> None:
    files = HomeFiles(home, USER)
    (home / "logs").mkdir()
    put(home / "logs" / "log", victim)
    put(home / "file", victim)
    for act in (
        lambda: files.read("file"),
        lambda: files.last_lines("logs", "log", 3),
        lambda: files.appended("logs", "log"),
    ):
        with pytest.raises(LinkFound, match="is a link, or neither a file"):
            act()
    assert victim.read_text() == "of somebody else\n" and victim.stat().st_uid == os.geteuid()


@root_only
def test_a_directory_that_is_a_link_is_not_entered_or_given_away(home: Path, tmp_path: Path) -> None:
    files, outside = HomeFiles(home, USER), tmp_path / "outside"
    outside.mkdir()
    (home / "logs").symlink_to(outside)
    for act in (lambda: files.make_directory("logs"), lambda: files.appended("logs", "log")):
        with pytest.raises(LinkFound):
            act()
    assert outside.stat().st_uid == os.geteuid() and not os.listdir(outside)


@root_only
def test_what_is_made_belongs_to_the_user(home: Path) -> None:
    files = HomeFiles(home, USER)
    files.make_directory("logs")
    for _ in range(2):
        with files.appended("logs", "log") as log:
            log.write(b"a line\n")
    assert (home / "logs" / "log").read_text() == "a line\n" * 2
    assert {one.stat().st_uid for one in (home / "logs", home / "logs" / "log")} == {USER}


def test_ones_own_links_count(home: Path, victim: Path, tmp_path: Path) -> None:
    (home / "file").symlink_to(victim)
    (home / "logs").symlink_to(tmp_path)
    files = HomeFiles(home, None)
    assert files.read("file") == "of somebody else\n"
    files.make_directory("logs")
    assert files.last_lines("logs", "victim", 5) == ["of somebody else"]


def test_the_last_lines_are_of_a_long_file_too_and_none_of_one_that_is_missing(home: Path) -> None:
    files = HomeFiles(home, None)
    assert (files.read("missing"), files.last_lines("logs", "missing", 3)) == ("", [])
    with files.appended("logs", "log") as log:
        log.writelines(b"line %d\n" % number for number in range(100_000))
    assert files.last_lines("logs", "log", 2) == ["line 99998", "line 99999"]
    assert len(files.last_lines("logs", "log", 1_000_000)) < 100_000
