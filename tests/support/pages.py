"""Settings as the documentation has them, for tests that run them word for word."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    """The code of that language on a page of docs/how-to, in its order."""
    text = (HOW_TO / page).read_text()
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(each) for each in found]


def settings(page: str, block: int) -> dict[str, Any]:
    """That sample of the agent's settings."""
    return tomllib.loads(blocks(page, "toml")[block])


def environment(page: str, block: int) -> dict[str, str]:
    """The variables of the first task environment in that sample of the agent's settings."""
    return dict(settings(page, block)["environments"][0]["env"])
