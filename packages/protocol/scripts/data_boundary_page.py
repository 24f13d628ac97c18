"""Write docs/reference/data-boundary.md from the boundary's own table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tradewind_protocol import dags, triggers
from tradewind_protocol.boundary import ROUTES, SCHEMES, VERBS, Route, Treatment, Verb, carried, dag_fields

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
| what authors write into operators, Dags and params (`dags`) | replaced by notices with a digest, or sealed | sent |
| what a task passes on when it defers (`triggers`) | sealed: only this site's agents can read it | sent |
| Dag source (`source`) | not sent; a notice stands in its place. Tracebacks quote no line of code | sent |

`policy` sets all of them; each setting changes one. The plane holds every site to strict as
well, whatever the site sets (`dag_fields` included), until an administrator of the plane opens it, for all
(`[tradewind] policy = open`) or by name (`policy = strict, lab=open`). An agent whose settings open something that the plane
does not says so in its log (`policy_is_strict`).

A **reference** is a URL of the schemes {schemes} (more with `references`), at most 2048 characters, without password and
without query: a signed URL is a key, not a reference. In a task environment of an agent,
`tradewind_runtime.xcom.SiteXComBackend` makes references of all values; any backend that keeps values in object storage
with threshold 0 does. Its references end in `.tradewind-xcom` and carry the mark of the storage they are in: a string of an
author's that is a URL is never taken for one, and a reference to another storage than the reader's is an error that names both
(see [several agents of one site](../how-to/run-an-agent.md#several-agents-of-one-site)). Keys and ids pass with every character
that Airflow takes.

XComs that Airflow's scheduler must read itself pass in their exact form only: `skipmixin_key` as
`{{"followed": [task ids]}}` or `{{"skipped": [task ids]}}`, and `trigger_run_id` as a run id.

## What the plane knows of a Dag

A task runs from the site's own Dag file, so the plane needs a Dag's structure, its schedule and its names, and no more.
Under strict rules (`dags`) the agent's gateway takes everything else out of each serialized Dag before it leaves. The plane
refuses a Dag of a strict site in which it finds more; the file then shows an import error that names the fields.

What the plane gets, and no other field:

| of | fields |
|---|---|
| an operator | names: {operator_names}; numbers, durations and moments: {operator_numbers}; yes or no: {operator_flags} |
| a Dag | {dag_fields} |
| a task group | {group_fields} |
| a schedule | the timetable with its arguments (cron expression, interval, time zone; those of a timetable of your own as well), but for a `description` |
| an asset | name, URI, group, teams, the name and the trigger class of its watchers |
| what a task is mapped over | how many items there are, and which tasks' results they come from |
| a deadline | what it counts from, its interval, and the name of the function |
| a param | its name, description and JSON schema; its default when that is a number, yes or no, empty, a date, or one of the schema's `enum` or `examples` |

A name is one line of at most {longest} characters. Authors keep data out of names, descriptions of params and schemas: people
who start a run read them.

Everything else (commands, SQL, `op_args`, `env`, docs, `default_args`, `email`, `executor_config`, functions, defaults that
are text, and every field of an operator of your own) becomes `kept at the site (data policy: strict) <digest>`. Where Airflow
takes no text the field is left out, and the notice in `doc_md` counts it in. So a new version of a Dag comes about when one
would have come about with the text.

**The site's key.** Digests are HMAC-SHA256 under a key that only the site has: a plane cannot try out what a short text might
be, nor see that two fields are equal. The key is `site.key` in the agent's `state_dir`, or in
`storage` where that is a folder (which agents of a site share), or the file that `site_key_file` names. **Agents of a site need
the same key**: with two, each change of the leading dag processor would make a new version of every Dag, and one agent could not
open what the other has sealed. An agent that runs the same bundles with another key gets no work and no triggers, and a
finding (`site_key:…`) says what to do. A new key is a new version of every Dag, once.

**Sealed arguments.** The plane hands some arguments back to the site: those of a trigger that starts before its task
(`start_trigger_args`), of an asset's watcher, of a deadline's callback; and, when a task defers, those of its trigger and of the
method that resumes it (`triggers`). They are encrypted with a key derived from the site's
(AES-SIV) and bound to the class or function they are for; the agent opens them as they come back. An agent with another key
cannot: the trigger fails and says so.

**Defaults of params.** The form for starting a run shows the notice where a default stays at the site. Left as it is, the
default of the site's own Dag counts; typed over, the new value does. The plane does not check such a param's value against
`enum`, `pattern` and the like; the site does before the task runs.

**Exceptions.** `dag_fields` lists fields that leave although `dags` is strict: `BashOperator:bash_command`,
`acme.operators.*:sql`, `*:doc_md`, `dag:description`, `dag:deadline`, `task_group:tooltip`, `asset:extra`, `asset:watchers`,
`timetable:description`, `param:region`. A change sends all Dags again.

## What passes under strict although an author chose it

Airflow cannot go on without these, so a Dag author keeps data out of them. Each request that carries one says so in the
ledger (`carries`).

{carried}
- `POST {sync}`: the payload of a trigger's event
- `POST {sync}`, `POST {report}`: the text of an exception, with the secrets of the site's masker replaced by `***`

Also: the name of the user a task runs as, process ids, times, the names of Dags, tasks, runs, keys, fields and assets.
The host name is replaced by one with the agent's name, under `.invalid`: nothing on the plane can connect to it.

## Between tasks of one site

Tasks of one task environment run as one operating-system user and are forked from the same processes, as under
LocalExecutor. An attempt's own secret opens the gateway for that attempt only, and a supervisor drops it and its connection
before it serves the next. A task's process is forked by a keeper and inherits nothing of its supervisor's memory, nor any
attempt's secret. But memory a process has freed is not wiped, and processes of one user may look at each other.
Whatever must not see the rest belongs on an agent of its own, under a user of its own.

## The ledger's words

Each line of the ledger names the classes of content that its request carried (`carries`): fields as above, and

{classes}

## Every verb of our own

| verb | who sends it | carries at most | what an author may put into it, and what strict rules make of it |
|---|---|---|---|
{verbs}

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
            f"- `{route.method} {route.template}`: "
            + ", ".join(
                f"`{name}`" for name in route.carries if name not in ("trigger_kwargs", "next_kwargs")
            )
            for route in ROUTES
            if route.carries
        ),
        operator_names=_listed(dag_fields.NAMES_OF_OPERATORS + dag_fields.LISTS_OF_OPERATORS),
        operator_numbers=_listed(dag_fields.NUMBERS_OF_OPERATORS),
        operator_flags=_listed(dag_fields.FLAGS_OF_OPERATORS),
        dag_fields=_listed(dag_fields.DAG),
        group_fields=_listed(dag_fields.GROUP),
        longest=f"{dag_fields.LONGEST_NAME:,}",
        sync=triggers.SYNC,
        report=dags.REPORT,
        classes="\n".join(f"- `{name}`: {meaning}" for name, meaning in carried.MEANINGS.items()),
        verbs="\n".join(map(_verb, VERBS)),
    )
    return introduction + "\n".join(_row(route) for route in ROUTES) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _verb(verb: Verb) -> str:
    return f"| `{verb.method} {verb.template}` | {verb.who} | {', '.join(verb.carries) or 'nothing'} | {verb.why} |"


def _row(route: Route) -> str:
    who = ", ".join(sorted(caller.value.replace("_", " ") for caller in route.callers)) or "nobody"
    refused = not route.callers
    word = "refused" if refused else _WORDS[route.treatment]
    why = route.why.removeprefix(f"{word}: ")
    return f"| `{route.method} {route.template}` | {who} | **{word}**: {why} |"


TARGET = Path(__file__).parents[3] / "docs" / "reference" / "data-boundary.md"

if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
