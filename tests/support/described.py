"""The operations of an application's API, for tests of each of them."""

from __future__ import annotations

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
