"""The site's image of a project, built without a daemon from what `make dist` made, its Dags parsed inside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support import containers, directories
from support.installed import ROOT

pytestmark = [pytest.mark.images, pytest.mark.timeout(2400)]

ENV = {"BUILDAH_ISOLATION": "chroot", **os.environ}
"""A machine of tests may have no control groups."""
BASE = "localhost/tradewind-agent-slim"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # of this machine, while it is built
OPTIONS = ["--pull-never", *([f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.exists() else [])]


@pytest.fixture(scope="module")
def base() -> str:
    """The image that the project's begins from; built when it is not here."""
    if reason := containers.available():
        pytest.skip(reason)
    name = f"{BASE}:{os.environ.get('TRADEWIND_TEST_IMAGES') or 'test'}"
    known = ["buildah", "inspect", "--type", "image", name]
    if subprocess.run(known, capture_output=True, check=False).returncode:
        debian = "localhost/tradewind-base:test"
        if "BASE" not in os.environ:
            subprocess.run([ROOT / "images/base", debian], check=True, env=ENV)
        env = {"BASE": debian, **ENV, "BUILDER": "buildah"}
        subprocess.run([ROOT / "images/build", "agent-slim", name, *OPTIONS], check=True, env=env)
    return name


@pytest.fixture(scope="module")
def place(base: str) -> Iterator[Path]:
    """A folder with the project `shop`, for the base's Python."""
    python = inside(base, "import sys; print('{}.{}'.format(*sys.version_info))")
    with directories.short("tw-p-") as made:
        tradewind(made, "init", "shop", "--python", python, "--dist", str(ROOT / "dist"))
        file = made / "shop" / "tradewind.toml"
        file.write_text(file.read_text().replace(f"{BASE}:0.1.0", base))
        yield made


def inside(image: str, program: str) -> str:
    """What a Python program prints in a container of the image."""
    container = output("buildah", "from", "--pull-never", image)
    try:
        return output("buildah", "run", container, "--", "/opt/tasks/bin/python", "-c", program)
    finally:
        output("buildah", "rm", container)


def output(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=True, env=ENV).stdout.strip()


def tradewind(place: Path, *arguments: str, fails: bool = False) -> str:
    env = {**ENV, "PATH": f"{ROOT / '.tools/bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "tradewind", "project", *arguments],
        cwd=place,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert bool(done.returncode) is fails, done.stdout
    return done.stdout


def build(place: Path, *more: str, fails: bool = False) -> str:
    passed: Sequence[str] = [f"--builder-option={one}" for one in OPTIONS]
    return tradewind(place / "shop", "build", "site", "--builder", "buildah", *passed, *more, fails=fails)


def test_the_sites_image_has_its_packages_and_dags_and_is_built_once(place: Path) -> None:
    first = build(place)
    assert "2 Dags parse in it" in first
    [line] = [line for line in first.splitlines() if line.startswith("site: built ")]
    image = line.split()[2]
    assert f"site: nothing changed: {image} " in build(place)
    told = inside(
        image,
        "import os, pandas; print(os.getuid(), *sorted(os.listdir('/opt/site')), os.environ['TRADEWIND_AGENT_CONFIG'])",
    )
    assert told == "50000 agent.toml dags plugins /opt/site/agent.toml"


def test_a_dag_that_does_not_parse_in_the_image_is_named(place: Path) -> None:
    wrong = place / "shop" / "site" / "dags" / "wrong.py"
    wrong.write_text("from airflow.sdk import DAG\n\nimport nowhere_at_all\n")
    said = build(place, fails=True)
    assert "site/dags/wrong.py:3: error: ModuleNotFoundError" in said
    assert "site/requirements.txt" in said
