"""Text about a failure without the lines of code it quotes."""

from __future__ import annotations

import re
from typing import Final

_FRAME: Final = re.compile(r'^[\s|+-]*File ".*", line \d+')
_QUOTED: Final = re.compile(r"^[\s|]*$|^\s*(\|\s*)*\s{4,}\S|^[\s|]+[\^~]+[\s|]*$")
_CODE: Final = re.compile(r"^(\s*)Code: .*$", re.MULTILINE)

STAYS: Final = "(the code stays at the site)"


def without_source(text: str) -> str:
    """A traceback without the lines of code it quotes. Its frames and its last line, which says what happened, stay."""
    kept: list[str] = []
    quoting = False
    for line in text.splitlines():
        if _FRAME.match(line):
            quoting = True
        elif quoting and _QUOTED.match(line):
            continue
        else:
            quoting = False
        kept.append(line)
    return "\n".join(kept)


def without_code(message: str) -> str:
    """One of Airflow's warnings about a Dag without the code it quotes."""
    return _CODE.sub(rf"\1Code: {STAYS}", message)
