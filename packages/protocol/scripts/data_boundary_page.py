"""Write docs/reference/data-boundary.md from the boundary's own table."""

from __future__ import annotations

from pathlib import Path

from tradewind_protocol.boundary import ROUTES, SCHEMES, Route, Treatment

_INTRODUCTION = """# The data boundary

Generated from `tradewind_protocol.boundary` by `packages/protocol/scripts/data_boundary_page.py`.

Everything a task, a trigger or a Dag file asks of Airflow goes through the agent's gateway. The gateway decides what may
leave the site before anything leaves; the door on the plane decides again by the same rules. What left, and what did not,
is a line in the egress ledger (`<state_dir>/ledger/`), never with its content.

## Policies

| kind (`setting`) | `strict`, the default | `open` |
|---|---|---|
| XCom values (`xcom`) | only as a reference to the site's storage, or null | pass |
| connections (`connections`) | the plane's look as if there were none, so the site's secrets backends decide | readable |
| variables (`variables`) | the same; writing them is refused | readable and writable |
| rendered template fields (`templates`) | each replaced by a notice | pass |
| task and asset state (`store`) | only as a reference, or null | pass |
| extra links (`links`) | dropped, and the task is told they were stored | pass |
| Dag source (`source`) | not sent; a notice stands in its place | sent |

`policy` sets all of them; each setting changes one. A Deployment can demand strict of everybody
(`[tradewind] policy = strict`): then nothing a site sets opens anything.

A **reference** is a URL of the schemes {schemes} (more with `references`), at most 2048 characters, without password and
without query: a signed URL is a key, not a reference. In a task environment of an agent,
`tradewind_runtime.xcom.SiteXComBackend` makes references of all values; any backend that keeps values in object storage
with threshold 0 does.

XComs that Airflow's scheduler must read itself pass in their exact form only: `skipmixin_key` as
`{{"followed": [task ids]}}` or `{{"skipped": [task ids]}}`, and `trigger_run_id` as a run id.

## What passes under strict although an author chose it

Airflow cannot go on without these, so a Dag author keeps data out of them. Each request that carries one says so in the
ledger (`carries …`).

{carried}

Also: the name of the user a task runs as, process ids, times, the names of Dags, tasks, runs, keys, fields and assets.
The host name is replaced by one with the agent's name, under `.invalid`: nothing on the plane can connect to it.

## Between tasks of one site

Tasks of one task environment run as one operating-system user and are forked from the same processes, as under
LocalExecutor. An attempt's own secret opens the gateway for that attempt only, and a supervisor drops it and its connection
before it serves the next. A task's process is forked by a keeper and inherits nothing of its supervisor's memory, nor any
attempt's secret. But memory a process has freed is not wiped, and processes of one user may look at each other.
Whatever must not see the rest belongs on an agent of its own, under a user of its own.

## Every route of the Execution API

A request for a route that is not in this table is refused, unless everything is open.

| route | who may call it | under strict |
|---|---|---|
"""

_WORDS = {
    Treatment.CONTROL: "passes",
    Treatment.STATE: "passes",
    Treatment.XCOM: "judged",
    Treatment.STORE: "judged",
    Treatment.TEMPLATES: "changed",
    Treatment.CONNECTION: "stays",
    Treatment.VARIABLE: "stays",
    Treatment.VARIABLE_KEYS: "stays",
    Treatment.VARIABLE_WRITE: "refused",
}


def page() -> str:
    """The whole page."""
    introduction = _INTRODUCTION.format(
        schemes=", ".join(f"`{scheme}`" for scheme in sorted(SCHEMES)),
        carried="\n".join(
            f"- `{route.method} {route.template}`: {', '.join(f'`{name}`' for name in route.carries)}"
            for route in ROUTES
            if route.carries
        ),
    )
    return introduction + "\n".join(_row(route) for route in ROUTES) + "\n"


def _row(route: Route) -> str:
    who = ", ".join(sorted(caller.value.replace("_", " ") for caller in route.callers)) or "nobody"
    refused = not route.callers
    word = "refused" if refused else _WORDS[route.treatment]
    why = route.why.removeprefix(f"{word}: ")
    return f"| `{route.method} {route.template}` | {who} | **{word}**: {why} |"


TARGET = Path(__file__).parents[3] / "docs" / "reference" / "data-boundary.md"

if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
