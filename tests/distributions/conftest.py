"""The folder that `make dist` makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import built, directories


@pytest.fixture(scope="session")
def dist() -> Iterator[Path]:
    """Without bills of materials, which take half a minute. Outside the checkout, so that nothing of it is found."""
    with directories.short("tw-dist-") as made:
        yield built.build(made / "dist", "--without-sboms")
