"""A site with Dags, and Dag processor processes on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import directories
from support.dag_processor_process import Site


@pytest.fixture
def site() -> Iterator[Site]:
    with directories.same() as place:
        here = Site(place)
        yield here
        here.close()
