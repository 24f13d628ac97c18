"""Builds what is published into `dist/`: all that installs planes, agents and task environments without this checkout.

    dist/tradewind_*.whl, *.tar.gz    each distribution: a wheel, and the sdist that the wheel is built from
    dist/constraints.txt              the versions of everything that they and their extras depend on
    dist/constraints-airflow-*.txt    the same for task environments with the Airflow minor before the plane's
    dist/charts/tradewind-agent-*.tgz the Helm chart
    dist/sbom/*.cdx.json              of each distribution a CycloneDX bill of materials: what is installed with it
    dist/SHA256SUMS                   the digests of all of these

The same commit gives the same bytes: timestamps are those of the commit, or `SOURCE_DATE_EPOCH` where it is set.
Only the standard library is imported, so that any Python can run this. uv does the building and installing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import versions

ROOT = versions.ROOT
LOCK = ROOT / "requirements.lock"


class Build:
    """One build into the folder `out`, which is made anew."""

    def __init__(self, out: Path, *, python: str = sys.executable) -> None:
        self._out = out
        self._python = python
        self._version = versions.version()
        self._epoch = os.environ.get("SOURCE_DATE_EPOCH") or _time_of_commit()
        self._env = {**os.environ, "SOURCE_DATE_EPOCH": self._epoch, "PYTHONHASHSEED": "0"}
        self._env.pop("VIRTUAL_ENV", None)

    def everything(self, *, sboms: bool = True) -> None:
        for path, before, after in versions.rewritten(self._version):
            if before != after:
                raise SystemExit(
                    f"{path.relative_to(ROOT)} has another version than VERSION: run `make version`"
                )
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir(parents=True)
        names = self._distributions()
        self._constraints(names)
        self._charts()
        if sboms:
            self._sboms(names)
        self._checksums()

    def _distributions(self) -> dict[str, Path]:
        """Build each sdist, and from it the wheel. Returns their names and source folders."""
        sources = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
        options = ("--quiet", "--no-create-gitignore", "--out-dir", str(self._out))
        for source in sources:
            self._uv(
                "build", *options, "--build-constraint", str(LOCK), "--python", self._python, str(source)
            )
        wheels = {path.name.partition("-")[0].replace("_", "-") for path in self._out.glob("*.whl")}
        named = {_name_of(source): source for source in sources}
        assert wheels == set(named), f"built {wheels}, not {set(named)}"
        return named

    def _constraints(self, names: Mapping[str, Path]) -> None:
        ours = "".join(f"{name}=={self._version}\n" for name in sorted(names))
        for path in sorted(ROOT.glob("constraints*.txt")):
            (self._out / path.name).write_text(ours + path.read_text(encoding="utf-8"), encoding="utf-8")

    def _charts(self) -> None:
        """As `helm package` does, with the times of the commit. In a folder of its own: pip takes a .tgz for an sdist."""
        (self._out / "charts").mkdir()
        for chart in sorted(path.parent for path in ROOT.glob("deploy/helm/*/Chart.yaml")):
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for path in sorted(one for one in chart.rglob("*") if one.is_file()):
                    info = tarfile.TarInfo(f"{chart.name}/{path.relative_to(chart).as_posix()}")
                    info.size, info.mtime, info.mode = path.stat().st_size, int(self._epoch), 0o644
                    with path.open("rb") as file:
                        archive.addfile(info, file)
            packed = gzip.compress(content.getvalue(), mtime=0)
            (self._out / "charts" / f"{chart.name}-{self._version}.tgz").write_bytes(packed)

    def _sboms(self, names: Mapping[str, Path]) -> None:
        """Install each distribution from what was built, and list what came with it."""
        (self._out / "sbom").mkdir()
        with tempfile.TemporaryDirectory(prefix="tradewind-dist-") as made:
            tool = self._environment(
                Path(made) / "tool", "--require-hashes", "-r", str(ROOT / "scripts/requirements.lock")
            )
            found = ("--find-links", str(self._out), "--constraint", str(self._out / "constraints.txt"))
            for name, source in names.items():
                python = self._environment(Path(made) / name, *found, f"{name}=={self._version}")
                listed = self._out / "sbom" / f"{name}-{self._version}.cdx.json"
                options = (
                    "--output-reproducible",
                    "--mc-type",
                    "library",
                    "--pyproject",
                    str(source / "pyproject.toml"),
                )
                command = [tool.with_name("cyclonedx-py"), "environment", *options, "-o", listed, python]
                subprocess.run(command, check=True, env=self._env)

    def _environment(self, place: Path, *requirements: str) -> Path:
        """A new virtual environment. Returns its interpreter."""
        python = place / "bin" / "python"
        self._uv("venv", "--quiet", "--python", self._python, str(place))
        self._uv("pip", "install", "--quiet", "--python", str(python), *requirements)
        return python

    def _checksums(self) -> None:
        """In the form of sha256sum: `sha256sum --check SHA256SUMS`."""
        files = sorted(path for path in self._out.rglob("*") if path.is_file())
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self._out)}\n"
            for path in files
        ]
        (self._out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")

    def _uv(self, *arguments: str) -> None:
        own = ROOT / ".tools" / "bin" / "uv"
        uv = str(own) if own.exists() else shutil.which("uv")
        if uv is None:
            raise SystemExit("uv is not installed; `make setup` installs it")
        done = subprocess.run(
            [uv, *arguments], env=self._env, cwd=ROOT, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"`uv {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")


def _name_of(source: Path) -> str:
    lines = (source / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("name = ")).split('"')[1]


def _time_of_commit() -> str:
    """Of the checkout's last commit; 1 January 1980, the least that a wheel can hold, without Git."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "315532800"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Build what is published.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist", help="the folder, made anew (default: dist)"
    )
    parser.add_argument("--without-sboms", action="store_true", help="leave out the bills of materials")
    asked = parser.parse_args(arguments)
    Build(asked.out.resolve()).everything(sboms=not asked.without_sboms)
    print(f"built {versions.version()} into {asked.out}")


if __name__ == "__main__":
    main(sys.argv[1:])
