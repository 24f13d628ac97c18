"""The operations of an application's API, for tests of each of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of each operation that the description has, as the routes say. Every process that collects tests asks for
    them, and to write the description takes it a second."""
    return sorted(
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    )


def read(app: FastAPI, path: str = "/openapi.json") -> Any:
    """The description, as requests that fit it and others are made of. It takes longer to read than to ask what it describes."""
    import schemathesis
    from schemathesis.specs.openapi import converter

    # It would write the greatest length of a text into the text's pattern, for expressions of ten thousand repetitions, which are
    # compiled for each request. Beside each other, the two say the same.
    assert converter.update_pattern_in_schema
    converter.update_pattern_in_schema = lambda schema: None
    return schemathesis.openapi.from_asgi(path, app)
