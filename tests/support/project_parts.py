"""A project on a machine without a package index: wheels of a few bytes under our names, and a program in a builder's place."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradewind.project import scaffold, settings
from tradewind.project.settings import Project

CHECKOUT = Path(__file__).parents[2]
PYTHON = "{}.{}".format(*sys.version_info[:2])

CHECK = """
import json, sys
asked = json.load(sys.stdin)
[bundle] = asked["options"]["bundles"]
import pathlib
print("tradewind-dag-check " + json.dumps({"airflow": "3.3.2"}))
for path in sorted(pathlib.Path(bundle["kwargs"]["path"]).rglob("*.py")):
    wrong = {path.name: "Traceback\\nValueError: wrong"} if "raise" in path.read_text() else {}
    dags = [] if wrong else [path.stem]
    line = {"bundle": bundle["name"], "file": path.name, "dags": dags, "errors": wrong, "requests": []}
    line["reduced"] = [{"needs": "weekly"} if "Weekly" in path.read_text() else {}] * len(dags)
    print("tradewind-dag-check " + json.dumps(line))
"""
"""Stands for `tradewind_runtime.dag_check`, whose own tests parse with Airflow: it reads no Dag, but answers in its form."""

PLANE_CHECK = """
import json, os, pathlib, sys
known = {path.stem for path in pathlib.Path(os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"]).glob("*.py")}
for one in map(json.loads, sys.stdin):
    if (needs := one["dag"].get("needs")) and needs not in known:
        line = {"bundle": one["bundle"], "file": one["file"], "cause": f"no {needs}", "remedy": "is it there?"}
        print("tradewind-plane-check " + json.dumps(line))
print("tradewind-plane-check " + json.dumps({"checked": 1}))
"""
"""Stands for `tradewind_provider.dag_check`: a Dag whose text names a timetable needs a plugin of that name."""

BUILDER = """#!{python}
import json, os, pathlib, sys
place = pathlib.Path({place!r})
with (place / "calls").open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
images = place / "images"
given = sys.argv[1:]
if given[0] == "image":
    sys.exit(0 if images.exists() and given[-1] in images.read_text().split() else 1)
if given[0] == "build":
    image = given[given.index("--tag") + 1]
    names = sorted(str(p.relative_to(given[-1])) for p in pathlib.Path(given[-1]).rglob("*") if p.is_file())
    (place / "context").write_text("\\n".join(names))
    with images.open("a") as file:
        file.write(image + "\\n")
if given[0] == "run":
    if "-c" in given:
        print("airflow 3.3.2")
    elif "tradewind_provider.dag_check" in given:
        print("tradewind-plane-check " + json.dumps({{"checked": 1}}))
    else:
        sys.stdin.read()
        print("tradewind-dag-check " + json.dumps({{"airflow": os.environ.get("FAKE_AIRFLOW", "3.3.2")}}))
        line = {{"bundle": "shop", "file": "example.py", "dags": ["example"], "errors": {{}}, "requests": []}}
        print("tradewind-dag-check " + json.dumps(line))
if given[0] == "push":
    pathlib.Path(given[given.index("--digestfile") + 1]).write_text("sha256:" + "a" * 64)
"""


def made(root: Path, dist: Path | None) -> Project:
    """A project called shop with one Dag, as `tradewind project init` writes it, that needs no package of others."""
    scaffold.write(root, name="shop", python=PYTHON, version="0.1.0", dist=dist)
    (root / "site" / "dags" / "month_end.py").unlink()
    (root / "site" / "requirements.txt").write_text("")
    return settings.read(root)


def dist(folder: Path, *, airflow: str = "3.3.2", check: str = CHECK) -> Path:
    """What stands for the folder that `make dist` builds."""
    folder.mkdir()
    wheel(folder, "apache-airflow-core", airflow, {"airflow.py": ""})
    wheel(folder, "tradewind-protocol", "0.1.0", {})
    wheel(folder, "tradewind-agent", "0.1.0", {})
    wheel(
        folder,
        "tradewind-runtime",
        "0.1.0",
        {"tradewind_runtime/dag_check.py": check},
        ["apache-airflow-core"],
    )
    wheel(
        folder,
        "tradewind-provider",
        "0.1.0",
        {"tradewind_provider/dag_check.py": PLANE_CHECK},
        ["apache-airflow-core"],
        extras=["postgres"],
    )
    (folder / "constraints.txt").write_text("")
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


def wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    requires: Sequence[str] = (),
    *,
    extras: Sequence[str] = (),
) -> None:
    """A wheel with those modules."""
    stem = f"{name.replace('-', '_')}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires] + [f"Provides-Extra: {one}" for one in extras]
    info = {
        "METADATA": "\n".join(lines) + "\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    every = {**files, **{f"{stem}.dist-info/{one}": text for one, text in info.items()}}
    record = "".join(f"{one},,\n" for one in (*every, f"{stem}.dist-info/RECORD"))
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for one, text in {**every, f"{stem}.dist-info/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(one, (1980, 1, 1, 0, 0, 0)), text)


def without_index() -> dict[str, str]:
    """Variables for uv: no index, so that a package comes from the folder or not at all; and uv on the search path."""
    tools = CHECKOUT / ".tools" / "bin"
    return {"UV_NO_INDEX": "1", "UV_OFFLINE": "1", "PATH": f"{tools}:{os.environ['PATH']}"}


class FakeBuilder:
    """A program that answers to podman's commands, as far as projects use them; tests/images uses a real one."""

    def __init__(self, place: Path, name: str = "podman") -> None:
        self.place = place
        place.mkdir()
        program = place / name
        program.write_text(BUILDER.format(python=sys.executable, place=str(place)))
        program.chmod(0o755)
        self.images("localhost/tradewind-plane:0.1.0", "localhost/tradewind-agent-slim:0.1.0")

    def images(self, *names: str) -> None:
        """The images that it has, and no others."""
        (self.place / "images").write_text("".join(f"{name}\n" for name in names))

    def calls(self, verb: str) -> list[list[str]]:
        """Each call of that verb, its arguments."""
        log = self.place / "calls"
        every: list[Any] = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [one for one in every if one[0] == verb]

    def context(self) -> list[str]:
        """The files of the last build."""
        return (self.place / "context").read_text().splitlines()
