"""Lists of names with `*`, `?` and `!`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits `name` and none that begins with `!` does. In a list of exceptions alone every other name fits; in
    an empty list none does."""
    exceptions = [one[1:] for one in patterns if one.startswith("!")]
    wanted = [one for one in patterns if not one.startswith("!")]
    if not patterns or any(fnmatchcase(name, one) for one in exceptions):
        return False
    return not wanted or any(fnmatchcase(name, one) for one in wanted)
