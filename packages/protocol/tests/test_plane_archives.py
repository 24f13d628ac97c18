"""Archives of a plane: the digest is that of the files, and what is sent is not trusted."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind_protocol import plane_archives
from tradewind_protocol.plane_archives import BadArchive

HASH = "    --hash=sha256:" + "a" * 64
LOCK = f"# made by a tool\napache-airflow-core==3.3.2 \\\n{HASH}\ntradewind-provider[postgres]==0.1.0 \\\n{HASH} \\\n{HASH}\n"
PLANE = plane_archives.description("3.11")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {
        "requirements.lock": LOCK,
        "plugins/a.py": "A = 1\n",
        "plugins/b/c.py": "",
        "dist/x-1.whl": "zip",
    }
    for name, text in found.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    return {name: tmp_path / "files" / name for name in found}


def written(files: dict[str, Path]) -> bytes:
    target = io.BytesIO()
    plane_archives.write(files, PLANE, target)
    return target.getvalue()


def made(*members: tuple[str, bytes], **of_each: Any) -> bytes:
    """A tar file that no honest command makes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("plane.json", PLANE), ("requirements.lock", LOCK.encode()), *members):
            one = tarfile.TarInfo(name)
            one.size = len(content)
            if name not in ("plane.json", "requirements.lock"):
                for field, value in of_each.items():
                    setattr(one, field, value)
            archive.addfile(one, io.BytesIO(content))
    return target.getvalue()


def test_what_is_written_is_read_with_the_same_digest(files: dict[str, Path], tmp_path: Path) -> None:
    archive = written(files)
    entries = [plane_archives.entry(name, path) for name, path in files.items()]
    (tmp_path / "plane.json").write_bytes(PLANE)
    entries.append(plane_archives.entry("plane.json", tmp_path / "plane.json"))
    found = plane_archives.check(io.BytesIO(archive))
    assert found.digest == plane_archives.digest_of(entries)
    assert (found.python, found.airflow) == ("3.11", "3.3.2")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    assert plane_archives.unpack(io.BytesIO(archive), folder) == found
    assert {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()} == {
        *files,
        "plane.json",
    }


def test_the_digest_is_of_no_time_order_umask_or_compression(files: dict[str, Path]) -> None:
    first = plane_archives.check(io.BytesIO(written(files))).digest
    os.utime(files["plugins/a.py"], (1, 1))
    files["plugins/a.py"].chmod(0o600)
    shuffled = dict(reversed(files.items()))
    again = gzip.compress(gzip.decompress(written(shuffled)), compresslevel=1, mtime=7)
    assert plane_archives.check(io.BytesIO(again)).digest == first
    assert written(shuffled) == written(files)


@pytest.mark.parametrize("change", ["contents", "name", "executable bit"])
def test_each_file_changes_the_digest(files: dict[str, Path], change: str) -> None:
    first = plane_archives.check(io.BytesIO(written(files))).digest
    if change == "contents":
        files["plugins/a.py"].write_text("A = 2\n")
    elif change == "name":
        files["plugins/z.py"] = files.pop("plugins/a.py")
    else:
        files["plugins/a.py"].chmod(0o755)
    assert plane_archives.check(io.BytesIO(written(files))).digest != first


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "plugins/../../evil.py",
        "/etc/evil.py",
        "plugins//a.py",
        "./plugins/a.py",
        "plugins/a\nb.py",
        "plugins\\..\\a.py",
        "plugins/./a.py",
        "site/dags/secret.py",
        "dist/evil.sh",
        "dist/below/x-1.whl",
        "plugins",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written_there(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    with pytest.raises(BadArchive, match="no name of a file|does not belong|no regular file"):
        plane_archives.unpack(io.BytesIO(made((name, b"x"))), folder)
    below = {one.relative_to(tmp_path).parts[:2] for one in tmp_path.rglob("*") if one.is_file()}
    assert below <= {("deep", "folder")}


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.GNUTYPE_SPARSE,
    ],
    ids=["symbolic link", "hard link", "folder", "pipe", "device", "sparse file"],
)
def test_nothing_but_regular_files_is_taken(kind: bytes) -> None:
    with pytest.raises(BadArchive, match="no regular file"):
        plane_archives.check(io.BytesIO(made(("plugins/x", b""), type=kind, linkname="/etc/passwd")))


def test_a_header_with_a_body_of_any_length_is_refused_unread() -> None:
    with pytest.raises(BadArchive, match="no regular file"):
        plane_archives.check(io.BytesIO(made(("plugins/x.py", b""), pax_headers={"comment": "y" * 10_000})))


def test_a_file_that_is_in_it_twice_is_refused() -> None:
    with pytest.raises(BadArchive, match="twice"):
        plane_archives.check(io.BytesIO(made(("plugins/x.py", b"1"), ("plugins/x.py", b"2"))))


def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArchive):
        plane_archives.unpack(io.BytesIO(made(("plugins/x", b"1"), ("plugins/x/y", b"2"))), tmp_path)


class Zeros(io.RawIOBase):
    """A source of what expands to very much, and counts how much of it was read."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._inner.read(size)
        self.taken += len(found)
        return found


def test_an_archive_that_expands_without_end_is_left_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane_archives, "UNPACKED", 4 * 1024 * 1024)
    bomb = made(("plugins/zeros", bytes(64 * 1024 * 1024)))
    assert len(bomb) < 100_000
    source = Zeros(bomb)
    with pytest.raises(BadArchive, match="more than 4 MiB"):
        plane_archives.check(source)  # type: ignore[arg-type]
    assert source.taken < len(bomb) / 2


def test_an_archive_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane_archives, "FILES", 10)
    with pytest.raises(BadArchive, match="more than 10 files"):
        plane_archives.check(io.BytesIO(made(*((f"plugins/{n}.py", b"") for n in range(20)))))


@pytest.mark.parametrize("broken", [lambda it: it[: len(it) // 2], lambda it: b"no archive", lambda it: b""])
def test_what_is_no_whole_archive_is_refused(
    files: dict[str, Path], broken: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BadArchive):
        plane_archives.check(io.BytesIO(broken(written(files))))


@pytest.mark.parametrize("missing", ["requirements.lock", "plane.json"])
def test_an_archive_without_what_an_environment_needs_is_refused(
    files: dict[str, Path], missing: str
) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in {"requirements.lock": LOCK.encode(), "plane.json": PLANE}.items():
            if name != missing:
                one = tarfile.TarInfo(name)
                one.size = len(content)
                archive.addfile(one, io.BytesIO(content))
    with pytest.raises(BadArchive, match=f"no file '{missing}'"):
        plane_archives.check(io.BytesIO(target.getvalue()))


@pytest.mark.parametrize(
    "lines",
    [
        "--index-url https://evil.example.com",
        "-r /etc/shadow",
        "-e /srv/other",
        "evil @ file:///srv/other",
        f"evil @ https://evil.example.com/x.whl \\\n{HASH}",
        "unhashed==1.0",
        "unhashed==1.0 \\\n    --no-binary=:all:",
        f"evil==1.0 --config-setting=x \\\n{HASH}",
        f"evil>=1.0 \\\n{HASH}",
        f"evil==1.0 \\\n{HASH} \\\n# a comment that is continued\n-r /etc/shadow",
        f"# a comment \\\nevil==1.0 \\\n{HASH}",
    ],
)
def test_a_line_of_a_lock_that_is_no_package_with_hashes_is_refused(lines: str) -> None:
    with pytest.raises(BadArchive, match="line|no hash"):
        plane_archives.check_lock(f"{LOCK}{lines}\n".encode())


def test_a_lock_without_the_planes_own_packages_is_refused() -> None:
    with pytest.raises(BadArchive, match="no apache-airflow-core"):
        plane_archives.check_lock(f"pandas==2.0 \\\n{HASH}\n".encode())


def test_markers_and_extras_of_a_lock_are_understood() -> None:
    more = f"Colorama.x==0.4.6 ; sys_platform == 'win32' and python_full_version >= '3.10' \\\n{HASH}\n"
    assert plane_archives.check_lock((LOCK + more).encode())["colorama-x"] == "0.4.6"
