"""What `make dist` builds: whole, of one version, described for those who find it on a package index."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from support import built
from support.installed import ROOT

pytestmark = pytest.mark.timeout(300)  # of which the first test builds

DISTRIBUTIONS = (
    "tradewind",
    "tradewind_agent",
    "tradewind_platform",
    "tradewind_protocol",
    "tradewind_provider",
    "tradewind_runtime",
)
FOLDERS = {name: "cli" if name == "tradewind" else name.removeprefix("tradewind_") for name in DISTRIBUTIONS}
VERSION = (ROOT / "VERSION").read_text().strip()


def wheel(dist: Path, name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / f"{name}-{VERSION}-py3-none-any.whl")


def metadata(dist: Path, name: str) -> Message:
    return Parser().parsestr(wheel(dist, name).read(f"{name}-{VERSION}.dist-info/METADATA").decode())


def tracked(folder: Path) -> set[str]:
    """The files that Git has in a folder."""
    command = ["git", "-C", str(folder), "ls-files", "-z"]
    return set(subprocess.run(command, text=True, capture_output=True, check=True).stdout.split("\0")) - {""}


def test_there_is_nothing_else_in_it(dist: Path) -> None:
    expected = {
        f"{name}-{VERSION}{end}" for name in DISTRIBUTIONS for end in (".tar.gz", "-py3-none-any.whl")
    }
    expected |= {
        "constraints.txt",
        "constraints-airflow-3.2.txt",
        "SHA256SUMS",
        f"charts/tradewind-agent-{VERSION}.tgz",
        f"charts/tradewind-controller-{VERSION}.tgz",
        f"charts/tradewind-plane-{VERSION}.tgz",
    }
    assert {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()} == expected


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_has_every_file_of_its_package(dist: Path, name: str) -> None:
    sources = tracked(ROOT / "packages" / FOLDERS[name] / "src")
    assert sources <= set(wheel(dist, name).namelist())
    with tarfile.open(dist / f"{name}-{VERSION}.tar.gz") as sdist:
        assert {f"{name}-{VERSION}/src/{path}" for path in sources} <= set(sdist.getnames())


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_says_what_it_is(dist: Path, name: str) -> None:
    said = metadata(dist, name)
    assert said["Version"] == VERSION
    assert said["License-Expression"] == "Apache-2.0"
    assert said["License-File"] == "LICENSE"
    licence = wheel(dist, name).read(f"{name}-{VERSION}.dist-info/licenses/LICENSE").decode()
    assert licence == (ROOT / "LICENSE").read_text()
    assert said["Description-Content-Type"] == "text/markdown"
    title = "tradewind" if name == "tradewind" else name.replace("_", "-")
    assert said.get_payload().startswith(f"# {title}\n")  # type: ignore[union-attr]
    assert not re.search(r"\]\((?!https?://)", str(said.get_payload())), (
        "a relative link leads nowhere on an index"
    )
    classifiers = said.get_all("Classifier") or []
    assert ("Framework :: Apache Airflow :: Provider" in classifiers) == (name == "tradewind_provider")
    assert len(said["Summary"]) <= 512


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_depend_on_exactly_their_own_version_of_each_other(dist: Path, name: str) -> None:
    ours = [
        each for each in metadata(dist, name).get_all("Requires-Dist") or [] if each.startswith("tradewind")
    ]
    expected = [] if name == "tradewind_protocol" else [f"tradewind-protocol=={VERSION}"]
    if name == "tradewind_platform":  # it runs the command's planes and gateway
        expected = [f"tradewind=={VERSION}", *expected]
    assert sorted(ours) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("tradewind_provider", {"postgres"}),
        ("tradewind_runtime", {"amazon", "azure", "git", "google", "hashicorp", "openlineage", "statsd"}),
    ],
)
def test_the_extras(dist: Path, name: str, extras: set[str]) -> None:
    assert set(metadata(dist, name).get_all("Provides-Extra") or []) == extras


def test_the_constraints_have_a_version_of_everything_that_is_depended_on(dist: Path) -> None:
    lines = (dist / "constraints.txt").read_text().splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    assert all(re.fullmatch(r"[\w.-]+==\S+( ; .+)?", line) for line in lines), (
        "pip takes nothing else in a constraint"
    )
    for name in DISTRIBUTIONS:
        for required in metadata(dist, name).get_all("Requires-Dist") or []:
            found = re.match(r"[\w.-]+", required)
            assert found and re.sub(r"[-_.]+", "-", found[0]).lower() in pinned, required
    assert {f"{name.replace('_', '-')}=={VERSION}" for name in DISTRIBUTIONS} <= set(lines)


def test_the_checksums_are_of_every_file(dist: Path) -> None:
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    files = {path.relative_to(dist).as_posix(): path for path in dist.rglob("*") if path.is_file()}
    del files["SHA256SUMS"]
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_the_chart_is_packed_as_helm_packs_it(dist: Path) -> None:
    with tarfile.open(dist / "charts" / f"tradewind-agent-{VERSION}.tgz") as chart:
        names = {member.name.removeprefix("tradewind-agent/") for member in chart}
        described = chart.extractfile("tradewind-agent/Chart.yaml")
        assert described is not None
        assert yaml.safe_load(described)["version"] == VERSION
    assert names == tracked(ROOT / "deploy/helm/tradewind-agent")


def test_every_version_is_the_one_in_the_file_version() -> None:
    command = [sys.executable, str(ROOT / "scripts/versions.py"), "--check"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "page",
    ["quickstart.md", "how-to/upgrade.md", "how-to/make-your-airflow-a-plane.md", "how-to/run-an-agent.md"],
)
def test_every_page_installs_from_the_folder(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    commands = [line for line in text.splitlines() if re.search(r"(pip|uv tool) install .*tradewind", line)]
    assert commands
    for command in commands:
        assert re.search(
            r"install (--upgrade )?--find-links dist/ --constraint dist/constraints[\w.-]*\.txt ", command
        )


@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_the_same_commit_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (built.build(tmp_path / name, SOURCE_DATE_EPOCH="1750000000") for name in ("one", "other"))
    sums = (one / "SHA256SUMS").read_text()
    assert sums == (other / "SHA256SUMS").read_text()
    assert sums.count(".cdx.json") == len(DISTRIBUTIONS)
