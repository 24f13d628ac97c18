"""Writes the version in `VERSION` wherever else one is written: distributions, their pins of each other, chart, web page.

    python scripts/versions.py            writes
    python scripts/versions.py --check    changes nothing; fails and names the files that have another version

Only the standard library is imported, so that any Python can run this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_PLACES: dict[str, tuple[tuple[str, int], ...]] = {
    "packages/*/pyproject.toml": ((r'^version = "(.*)"$', 1), (r'"tradewind[a-z-]*==([^"]*)"', 0)),
    "deploy/helm/*/Chart.yaml": ((r"^version: (.*)$", 1), (r'^appVersion: "(.*)"$', 1)),
    "ui/package.json": ((r'^  "version": "(.*)"', 1),),
    "ui/package-lock.json": (
        (r'\A\{\n  "name": "[^"]*",\n  "version": "(.*)"', 1),
        (r'^      "version": "(.*)"', 1),
    ),
}
"""Files, and in each the patterns whose only group is a version, with how often each is replaced (0: everywhere)."""


def version() -> str:
    """The version of everything that is released together."""
    return (ROOT / "VERSION").read_text(encoding="utf-8").strip()


def rewritten(wanted: str) -> Iterator[tuple[Path, str, str]]:
    """Each file that has versions: its path, its text and the text it should have.

    Raises LookupError when a file has no version where one belongs.
    """
    for files, patterns in _PLACES.items():
        for path in sorted(ROOT.glob(files)):
            before = after = path.read_text(encoding="utf-8")
            for pattern, count in patterns:
                after, found = re.subn(pattern, _with(wanted), after, count=count, flags=re.MULTILINE)
                if not found and count:
                    raise LookupError(f"{path.relative_to(ROOT)} has no version that matches {pattern}")
            yield path, before, after


def _with(wanted: str) -> Callable[[re.Match[str]], str]:
    return lambda match: match[0].replace(match[1], wanted)


def main(arguments: list[str]) -> int:
    stale = [(path, after) for path, before, after in rewritten(version()) if before != after]
    if "--check" in arguments:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} has another version than VERSION: run `make version`")
        return 1 if stale else 0
    for path, after in stale:
        path.write_text(after, encoding="utf-8")
        print(f"{path.relative_to(ROOT)} has {version()} now")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
