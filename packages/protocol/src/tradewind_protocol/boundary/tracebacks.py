"""Text about a failure without the lines of code it quotes."""

from __future__ import annotations

import ast
import re
from typing import Final

_FRAME: Final = re.compile(r'^[\s|+-]*File ".*", line \d+')
_QUOTED: Final = re.compile(r"^\s*$|^\s{4,}\S")
_QUOTED_IN_GROUP: Final = re.compile(r"^\s*\|?\s*$|^\s*\|\s{5,}\S|^\s{4,}[^\s|+]")
_CODE: Final = re.compile(r"^(\s*)Code: .*$", re.MULTILINE)

STAYS: Final = "(the code stays at the site)"


def without_source(text: str) -> str:
    """A traceback without the lines of code it quotes. Its frames and its last line, which says what happened, stay."""
    kept: list[str] = []
    quoting = False
    quoted = _QUOTED_IN_GROUP if "Exception Group Traceback" in text else _QUOTED
    for line in text.splitlines():
        if _FRAME.match(line):
            quoting = True
        elif quoting and quoted.match(line):
            continue
        else:
            quoting = False
        kept.append(line)
    return "\n".join(kept)


def without_code(message: str) -> str:
    """One of Airflow's warnings about a Dag without the code it quotes."""
    return _CODE.sub(rf"\1Code: {STAYS}", message)


def without_quoted_source(text: str) -> str:
    """The same where the traceback is the `repr` of a list of its lines, as in the output of a failed callback."""
    head, bracket, rest = text.partition(": ['Traceback")
    if not bracket:
        return without_source(text)
    try:
        lines = ast.literal_eval("['Traceback" + rest)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return head
    return f"{head}: {without_source(''.join(map(str, lines)))}"
