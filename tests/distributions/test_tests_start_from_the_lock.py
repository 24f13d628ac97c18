"""`make setup` is all that the tests need: what processes of tests are forked with comes from its lock file."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from support.forked_template import LIBRARIES

ROOT = Path(__file__).parents[2]


def test_each_library_that_is_imported_before_a_fork_is_in_the_lock_file():
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    distributions = importlib.metadata.packages_distributions()
    tops = {name.partition(".")[0] for name in LIBRARIES} - sys.stdlib_module_names
    assert tops
    unlocked = [top for top in sorted(tops) if locked.isdisjoint(map(normalized, distributions.get(top, [])))]
    assert unlocked == []


def normalized(distribution: str) -> str:
    """As PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
