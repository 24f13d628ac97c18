"""Write docs/reference/operator-api.json, the OpenAPI description, and docs/reference/operator-api.md, its contents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
DESCRIPTION = REFERENCE / "operator-api.json"
PAGE = REFERENCE / "operator-api.md"

_TOP = """# Operator API

Generated from the source by `docs/scripts/operator_api_page.py`; the whole of it in machine-readable form is
[operator-api.json](operator-api.json) (OpenAPI), and a plane shows its own at `/tradewind/docs`.

Under `https://<plane>/tradewind/v1`. JSON in, JSON out. Signed in to as Airflow's own API is, see
[automation](../how-to/automation.md); who may do what is in [permissions](permissions.md).

**Lists** are `{"items": […], "total": …, "limit": …, "offset": …}`: `total` counts what the filters match, `limit` (1 to
1000, 100 when left out) and `offset` choose the part.

**Refusals** have a status, and a body with a code that stays, a sentence and a remedy:

```json
{"error": "not_permitted", "message": "user 'vera' may not …", "remedy": "Ask an administrator …", "detail": {}}
```

Act on `error`, show `message` and `remedy`. 401 is always a matter of signing in, 403 of the role, 404 of a thing that is
not there, 409 of its state, 422 of the request. Unknown fields of a request are ignored; a newer plane may add fields to an
answer, and nothing is renamed or removed within `v1`.

**Again**: GET, PUT and DELETE may be repeated. `cordon`, `drain`, `resume`, `slots` and `stop` may be, too: the second time
changes nothing. `POST /tokens` and `rotate` make a new value each time.
"""


def described() -> dict[str, Any]:
    """The OpenAPI description."""
    from tradewind_provider.api.operator.app import create_app

    found: dict[str, Any] = create_app().openapi()
    found["servers"] = [{"url": "/tradewind"}]
    return found


def description() -> str:
    """The description as it is kept."""
    return json.dumps(described(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def page() -> str:
    """The page for people."""
    parts, tag = [_TOP], ""
    for path, verbs in described()["paths"].items():
        for method, verb in verbs.items():
            if verb["tags"][0] != tag:
                tag = verb["tags"][0]
                parts.append(f"\n## {tag}\n")
            parts.append(_verb(method, path, verb))
    return "".join(parts)


def _verb(method: str, path: str, verb: dict[str, Any]) -> str:
    lines = [
        f"\n**`{method.upper()} {path.removeprefix('/v1')}`**: {verb['summary'][0].lower() + verb['summary'][1:]}."
    ]
    if text := " ".join(verb.get("description", "").split()):
        lines[0] += f" {text}"
    if fields := [one["name"] for one in verb.get("parameters", []) if one["in"] == "query"]:
        lines.append("Query: " + ", ".join(f"`{one}`" for one in fields) + ".")
    if body := verb.get("requestBody"):
        lines.append(f"Body: `{_schema(body['content'])}`.")
    for status, answer in verb["responses"].items():
        if status.startswith("2") and "content" in answer:
            lines.append(f"Answer: {status}, `{_schema(answer['content'])}`.")
        elif status.startswith("2"):
            lines.append(f"Answer: {status}.")
    return "\n".join(lines) + "\n"


def _schema(content: dict[str, Any]) -> str:
    reference = content["application/json"]["schema"].get("$ref", "object")
    return str(reference).rpartition("/")[2].replace("Page_", "Page of ").strip("_")


if __name__ == "__main__":
    DESCRIPTION.write_text(description(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
