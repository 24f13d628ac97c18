"""A real Kubernetes API server for all tests of the sentinel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import api_server
from .api_server import ApiServer


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    if why := api_server.missing():
        pytest.skip(why)
    with api_server.running(tmp_path_factory.mktemp("kubernetes")) as one:
        yield one
