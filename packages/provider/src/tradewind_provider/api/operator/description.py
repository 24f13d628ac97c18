"""`/tradewind/docs`: the operator API described for people, in one page that asks no other server for anything.

FastAPI's own page fetches its script from a public host, which a plane in a closed network cannot reach.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
details { border: 1px solid light-dark(#d4d4d8, #3f3f46); border-radius: 6px; margin: .5rem 0; padding: .5rem .8rem }
summary { cursor: pointer }
code, pre, .verb { font-family: ui-monospace, monospace; font-size: .92em }
.verb { display: inline-block; min-width: 4.5rem; font-weight: 700 }
pre { overflow-x: auto; padding: .6rem; background: light-dark(#f4f4f5, #27272a); border-radius: 6px }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top }
"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Every verb with its parameters, its body and its answers, from the OpenAPI document."""
    document = request.app.openapi()
    where = f"{request.scope.get('root_path', '')}{request.app.openapi_url}"
    return HTMLResponse("".join(_page(document, where)))


def _page(document: Mapping[str, Any], where: str) -> Iterator[str]:
    about = document["info"]
    title = escape(about["title"])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
    yield f"<main><h1>{title}</h1><p>{escape(about['description'])}</p>"
    yield f'<p>For machines: <a href="{escape(where)}">OpenAPI document</a>.</p>'
    named = document.get("components", {}).get("schemas", {})
    for noun, operations in _by_noun(document["paths"]).items():
        yield f"<h2>{escape(noun)}</h2>"
        for verb, path, operation in operations:
            yield from _operation(verb, path, operation, named)
    yield "</main></body></html>"


def _by_noun(paths: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    """Noun → its operations, in the order they were declared. A path is `/v1/<noun>/…`."""
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in paths.items():
        for verb, operation in operations.items():
            found.setdefault(path.split("/")[2], []).append((verb.upper(), path, operation))
    return found


def _operation(verb: str, path: str, operation: Mapping[str, Any], named: Mapping[str, Any]) -> Iterator[str]:
    summary = escape(operation.get("summary", ""))
    yield f'<details><summary><span class="verb">{verb}</span> <code>{escape(path)}</code> {summary}</summary>'
    if description := operation.get("description"):
        yield f"<p>{escape(description)}</p>"
    if parameters := operation.get("parameters"):
        yield "<h3>Parameters</h3><table><tr><th>name</th><th>in</th><th>what</th></tr>"
        for one in parameters:
            needed = " (required)" if one.get("required") else ""
            meaning = escape(one.get("description") or _short(one["schema"]))
            yield f"<tr><td><code>{escape(one['name'])}</code>{needed}</td><td>{one['in']}</td><td>{meaning}</td></tr>"
        yield "</table>"
    if body := operation.get("requestBody"):
        yield "<h3>Body</h3>" + _schema(body, named)
    yield "<h3>Answers</h3>"
    for status, answer in operation["responses"].items():
        yield f"<p><strong>{escape(status)}</strong> {escape(answer.get('description', ''))}</p>"
        if status.startswith("2"):
            yield _schema(answer, named)
    yield "</details>"


def _schema(holder: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    """The first schema of a body or answer, the named one it refers to in its place; nothing where there is none."""
    for content in holder.get("content", {}).values():
        schema = content.get("schema", {})
        reference = str(schema.get("$ref", ""))
        shown = named.get(reference.rpartition("/")[2], schema)
        return f"<pre>{escape(json.dumps(shown, indent=2))}</pre>" if shown else ""
    return ""


def _short(schema: Mapping[str, Any]) -> str:
    kinds = [str(one.get("type", "")) for one in schema.get("anyOf", [schema])]
    return " or ".join(kind for kind in kinds if kind and kind != "null")
