"""How values are written into a shell, TOML and YAML."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

quoted = shlex.quote

_LONGEST: Final = 40  # of a name in Kubernetes, so that what is appended fits


def literal(value: object) -> str:
    """For TOML and YAML: JSON of one line is a value in both."""
    return json.dumps(value, ensure_ascii=False)


def table(values: dict[str, str]) -> str:
    """An inline table of TOML."""
    return "{ " + ", ".join(f"{key} = {literal(value)}" for key, value in values.items()) + " }"


def slug(name: str) -> str:
    """A name for folders, containers and objects of Kubernetes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST].strip("-") or "agent"


def file(command: str, text: str, mark: str = "END") -> str:
    """A shell command that gets `text` as its input, as it is. No line of ours is the mark."""
    assert mark not in text.splitlines()
    return f"{command} <<'{mark}'\n{text}\n{mark}"
