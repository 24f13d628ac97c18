"""Write docs/reference/remote-execution-api.json, the OpenAPI description of what agents ask, and docs/reference/protocol.md."""

from __future__ import annotations

import inspect
import json
import re
from enum import Enum
from pathlib import Path
from typing import Any

from tradewind_agent.plane import retry
from tradewind_protocol import dags, errors, states, versions
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.explanations import EXPLANATIONS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
DESCRIPTION = REFERENCE / "remote-execution-api.json"
PAGE = REFERENCE / "protocol.md"

_DOES = {
    retry.Verdict.AGAIN: "sends it again, waiting longer each time",
    retry.Verdict.SLOWLY: "tries again once a minute, and logs an error",
    retry.Verdict.REOPEN: "opens a new session, then sends it again",
    retry.Verdict.FENCED: "stops everything and ends (exit code 4)",
    retry.Verdict.STOP_AGENT: "ends with message and remedy (exit code 3)",
    retry.Verdict.FINAL: "takes it as the answer",
}

_TOP = f"""# The protocol between plane and agents

Generated from the source by `docs/scripts/protocol_page.py`. The same in machine-readable form:
[remote-execution-api.json](remote-execution-api.json) (OpenAPI), and the JSON schema of every message in
`packages/protocol/src/tradewind_protocol/schemas/`.

JSON over HTTPS, always from the agent to the plane, under `<plane_url>/remote-execution/v1`; `plane_url` may have a path of its
own. Version {versions.PROTOCOL}.

| header | on | says |
|---|---|---|
| `Authorization: Bearer …` | every request | a token that people make (opening a session, `/token`, `/queues`, `/backlog`), else the session token |
| `{versions.HEADER}` | every request and every answer | the protocol version of the sender. An answer without it is not a plane's |
| `Tradewind-Attempt` | requests of tasks, dag processors and triggerers | `<attempt id>:<epoch>`, or the name of a component |
| `Tradewind-Request` | the agent's own requests | an id that joins the logs of both sides |

**Every verb may be sent again.** An answer that was lost costs nothing: the same request has the same effect once, and the same
answer. Agents send again whatever was not answered.

**Unknown fields are ignored**, in requests and in answers. Nothing is renamed or removed within a major version; a new field has
a default. Agent and plane may be one minor version apart, in either direction; further apart they refuse each other with
`version_skew`, naming both versions. A value that an enum gets later (a command, say) is sent only to a side with that version.

## Verbs
"""

_ATTEMPTS = """
## States of an attempt

An attempt is one piece of work on its way from the scheduler to an outcome. Each offer has a new **epoch**; a request that names an old
one acts on nothing.

| state | means | may become |
|---|---|---|
"""

_AFTER_MOVES = """
`running` never becomes `queued`: user code may have run, so Airflow's retries decide. What an agent asks, by state:

| the agent asks | queued | offered to it | running by it | finished, revoked | another's, or an older epoch |
|---|---|---|---|---|---|
| start | `attempt_not_yours` | granted | the same grant again | `lease_lost` | `attempt_not_yours`, `lease_lost` |
| finish | `attempt_not_yours` | `conflict` | taken | taken, changes nothing | `attempt_not_yours`, `lease_lost` |
| hand-back | nothing to do | free again | `conflict` | nothing to do | nothing to do |

A task asks for its grant with the first request of its supervisor: `PATCH …/execution/task-instances/{id}/run` of an
attempt that is on offer is a start, answered by Airflow. Other work is started with the verb, and so is a task whose
supervisor has not asked by half the offer's time, or ended while it asked.

The contract suite (`tests/contract/agent_api`) holds the plane and the plane agents are tested with to this table, and
[decision 6](../adr/0006-the-lease-protocol-is-searched.md) says how the rules themselves are checked.
"""


def described() -> dict[str, Any]:
    """The OpenAPI description."""
    from tradewind_provider.api.agent.app import create_app
    from tradewind_provider.composition import compose
    from tradewind_provider.settings import Settings

    found: dict[str, Any] = create_app(compose(Settings())).openapi()
    found["servers"] = [{"url": "/remote-execution"}]
    schemas: dict[str, Any] = found["components"]["schemas"]
    schemas.setdefault("Refusal", Refusal.model_json_schema(ref_template="#/components/schemas/{model}"))
    schemas |= schemas["Refusal"].pop("$defs", {})
    # read as bytes, so that one file that cannot be stored is refused alone
    report = dags.Report.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**report.pop("$defs", {}), "DagReport": report}
    found["paths"]["/v1" + dags.REPORT]["post"]["requestBody"] = {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DagReport"}}},
        "required": True,
    }
    refused = {
        "description": "Refused",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
    }
    for verbs in found["paths"].values():
        for verb in verbs.values():
            verb["responses"].pop("422", None)
            verb["responses"]["default"] = refused
            verb["security"] = [{"bearer": []}]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    found["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return found


def description() -> str:
    """The description as it is kept."""
    return json.dumps(described(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def page() -> str:
    """The page for people."""
    parts = [_TOP, "\n| verb | what | body | answer |\n|---|---|---|---|\n"]
    parts += [
        _verb(method, path, verb)
        for path, verbs in described()["paths"].items()
        for method, verb in verbs.items()
    ]
    parts += ["| `… /execution/…` | Airflow's Execution API, behind the session and the ", _BOUNDARY]
    parts += [
        _ATTEMPTS,
        *_moves(),
        "\n```mermaid\nstateDiagram-v2\n    [*] --> queued\n",
        *_diagram(),
        "```\n",
    ]
    parts += [_AFTER_MOVES, _meanings("How an attempt ends", states.OutcomeKind)]
    parts += [_meanings("States of an agent", states.AgentState)]
    parts += [
        "\nThe plane computes it from the polls and their times; an agent never reports its own state.\n"
    ]
    parts += [_CODES, *(_code(code) for code in Code)]
    return "".join(parts)


_BOUNDARY = "[data boundary](data-boundary.md) | Airflow's | Airflow's |\n"

_CODES = """
## Refusals

Every answer that is not 2xx has a body `{"error": code, "message": …, "remedy": …, "detail": {…}}`. Act on the code, show
message and remedy.

| code | status | means | what to do | the agent |
|---|---|---|---|---|
"""


def _verb(method: str, path: str, verb: dict[str, Any]) -> str:
    body = verb.get("requestBody", {}).get("content")
    answers = [
        f"{status} {_schema(answer['content'])}" if "content" in answer else status
        for status, answer in verb["responses"].items()
        if status.startswith("2")
    ]
    what = verb["summary"][0].lower() + verb["summary"][1:]
    where = path.removeprefix("/v1")
    return (
        f"| `{method.upper()} {where}` | {what} | {_schema(body) if body else ''} | {', '.join(answers)} |\n"
    )


def _schema(content: dict[str, Any]) -> str:
    reference = content["application/json"]["schema"].get("$ref", "object")
    return f"`{str(reference).rpartition('/')[2].rpartition('__')[2]}`"


def _moves() -> list[str]:
    said = _comments(states.AttemptState)
    return [
        f"| `{one.value}` | {said[one.name]} | "
        f"{', '.join(f'`{each.value}`' for each in states.AttemptState if each in states.ATTEMPT_MOVES[one]) or 'nothing'} |\n"
        for one in states.AttemptState
    ]


def _diagram() -> list[str]:
    return [
        f"    {one.value} --> {each.value}\n"
        for one in states.AttemptState
        for each in states.AttemptState
        if each in states.ATTEMPT_MOVES[one]
    ]


def _meanings(title: str, kind: type[Enum]) -> str:
    said = _comments(kind)
    rows = "".join(f"| `{one.value}` | {said[one.name]} |\n" for one in kind)
    return f"\n## {title}\n\n| | |\n|---|---|\n{rows}"


def _comments(kind: type[Enum]) -> dict[str, str]:
    """Member → the comment behind it."""
    return dict(re.findall(r'^    (\w+) = "[^"]*"  # (.+)$', inspect.getsource(kind), re.MULTILINE))


def _code(code: Code) -> str:
    cause, remedy = EXPLANATIONS[code]
    does = _DOES[retry.verdict(Refused(code, ""))]
    return f"| `{code.value}` | {errors.STATUS[code]} | {cause} | {remedy} | {does} |\n"


if __name__ == "__main__":
    DESCRIPTION.write_text(description(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
