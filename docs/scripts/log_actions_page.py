"""Write docs/reference/log-actions.md: the stable `action` of every log line, found in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "log-actions.md"

_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_PARTS = {"agent": "tradewind-agent", "runtime": "tradewind-runtime", "provider": "tradewind-provider"}

_TOP = """# Log actions

Generated from the source by `docs/scripts/log_actions_page.py`.

Every log line worth an alert has an `action`: a key that stays when the sentence changes. Agents write one JSON object a line
(`log_format = "json"`, the default off a terminal); on the plane the key is the `action` attribute of Airflow's log
record. `exception` is an error with a traceback. `…` stands for what differs from line to line: names, numbers, the cause.
"""


@dataclass(frozen=True, order=True)
class Line:
    """One place in the source that logs."""

    action: str
    level: str
    message: str


def page() -> str:
    """The whole page."""
    parts = [_TOP]
    for name, title in _PARTS.items():
        rows = [f"| `{one.action}` | {one.level} | {one.message} |" for one in sorted(found(name))]
        if rows:
            parts.append(
                "\n".join([f"\n## {title}\n", "| action | level | sentence |", "|---|---|---|", *rows]) + "\n"
            )
    return "".join(parts)


def found(package: str) -> set[Line]:
    """Every log call with an action in a package."""
    lines = set()
    for path in sorted((ROOT / "packages" / package / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            lines.update(_lines(node))
    return lines


def _lines(node: ast.AST) -> Iterator[Line]:
    if not isinstance(node, ast.Call):
        return
    # `(log.info if expected else log.error)(…)` is a line of either level
    chosen = [node.func.body, node.func.orelse] if isinstance(node.func, ast.IfExp) else [node.func]
    levels = [one.attr for one in chosen if isinstance(one, ast.Attribute)]
    message = node.args[0] if node.args else None
    if levels == ["log"] and len(node.args) > 1:
        levels, message = ["error"], node.args[1]
    if not levels or not set(levels) <= set(_LEVELS) or message is None:
        return
    for action in _actions(node):
        yield Line(action, " or ".join(levels), _words(message))


def _words(message: ast.expr) -> str:
    """A sentence as it stands in the source; what is filled in is an ellipsis."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
    return re.sub(r"%(?:\.\d)?[dfrs]", "…", text).replace("|", r"\|").replace("\n", " ")


def _actions(node: ast.Call) -> Iterator[str]:
    for keyword in node.keywords:
        if keyword.arg == "action" and isinstance(keyword.value, ast.Constant):
            yield str(keyword.value.value)
        elif keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and key.value == "action"
                    and isinstance(value, ast.Constant)
                ):
                    yield str(value.value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
