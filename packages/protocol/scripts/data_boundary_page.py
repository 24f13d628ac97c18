"""Write docs/reference/data-boundary.md from the boundary's own table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tradewind_protocol import dags, triggers
from tradewind_protocol.boundary import ROUTES, SCHEMES, VERBS, Route, Treatment, Verb, carried, dag_fields

_INTRODUCTION = """# The data boundary

Generated from `tradewind_protocol.boundary` by `packages/protocol/scripts/data_boundary_page.py`.

Each request that a task, a trigger or a Dag file makes of Airflow goes through the agent's [gateway](glossary.md#gateway). The gateway
decides what may leave the site. The plane's [execution API proxy](glossary.md#execution-api-proxy) decides again, by the same rules.
The egress ledger (`<state_dir>/ledger/`) has a line for each request, without its content.

## Policies

| kind (`setting`) | `strict`, the default | `open` |
|---|---|---|
| XCom values (`xcom`) | only as a [reference](glossary.md#reference) to the site's [storage](glossary.md#storage), or null; with a [key ring](#the-owners-key-ring) sealed | pass |
| connections (`connections`) | the plane has none for the site, so the site's secrets backends decide | readable |
| variables (`variables`) | the same; writing them is refused | readable and writable |
| rendered template fields (`templates`) | each replaced by a notice | pass |
| task and asset state (`store`) | only as a reference, or null; with a key ring sealed | pass |
| extra links (`links`) | dropped; the task gets the answer that they were stored | pass |
| what authors write into operators, Dags and params (`dags`) | replaced by notices with a digest, or sealed | sent |
| what a task passes on when it defers (`triggers`) | sealed: only this site's agents can read it | sent, and sealed beside it |
| Dag source (`source`) | not sent; a notice stands in its place. Tracebacks quote no line of code | sent |

The setting `policy` sets all kinds, and each other setting changes one. The plane also holds every site to strict, whatever the site sets
(`dag_fields` included). An administrator of the plane may open all sites (`[tradewind] policy = open`) or one
(`policy = strict, lab=open`). When an agent's settings are more open than the plane's, its log says so (`policy_is_strict`).

A **reference** is a URL of the schemes {schemes} (more with `references`). It has at most 2048 characters, no password
and no query, because a signed URL is a key and no reference. In a task environment, `tradewind_runtime.xcom.SiteXComBackend` makes
references of all values. Any other backend that keeps values in object storage with threshold 0 does so too. The references of
SiteXComBackend end in `.tradewind-xcom` and name their storage. So a URL that an author wrote is never taken for a reference. A
reference to another storage than the reader's is an error that names both
([several agents of one site](../how-to/run-an-agent.md#several-agents-of-one-site)). Keys and ids may have every character that
Airflow allows.

XComs that Airflow's scheduler reads itself pass in their exact form only: `skipmixin_key` as
`{{"followed": [task ids]}}` or `{{"skipped": [task ids]}}`, and `trigger_run_id` as a run id.

## What the plane knows of a Dag

A task runs from the site's own Dag file. So the plane needs a Dag's structure, its schedule and its names only. Under strict rules (`dags`)
the agent's gateway removes everything else from each serialized Dag. The plane refuses a Dag of a strict site that has more, and
the file shows an import error that names the fields.

The plane gets these fields and no others:

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

A name is one line of at most {longest} characters. Authors keep data out of names, descriptions of params and schemas, because the
plane shows them to each user who starts a run.

Everything else (commands, SQL, `op_args`, `env`, docs, `default_args`, `email`, `executor_config`, functions, defaults that
are text, and every field of an operator of your own) becomes `kept at the site (data policy: strict) <digest>`. Where Airflow
takes no text, the field is left out, and the digest in `doc_md` includes it. So a Dag gets a new version when its text changes.

### The site's key

Digests are HMAC-SHA256 with a key that only the site has. So a plane cannot guess a short text, and cannot see that two fields are
equal. The key is `site.key` in the agent's `state_dir`, or in `storage` if that is a folder, or the file that `site_key_file` names.

**Agents of a site need the same key.** With two keys, each change of the leading dag processor would make a new version of every Dag. And
one agent could not open what the other has sealed. An agent that runs the same bundles with another key gets no work and no triggers, and a
finding (`site_key:…`) says what to do. If you replace the key, every Dag gets a new version once.

### Sealed arguments

The plane keeps some arguments and hands them back to the site:

- those of a trigger that starts before its task (`start_trigger_args`), of an asset's watcher, and of a deadline's callback;
- when a task defers, those of its trigger and of the method that resumes it (`triggers`).

The agent encrypts them with a key derived from the site's (AES-SIV). It binds them to the Deployment, to the class or function they are for, and to the
Dag, task or asset that declared them. When they come back, it opens them, and uses nothing that it has not sealed. An agent with another key
cannot open them: the trigger fails and says so. Where arguments leave in readable form (`open`, `dag_fields`), they leave sealed as well,
because the sealed form is what [the site takes back](what-a-plane-can-ask.md#what-the-site-has-declared).

### The owner's key ring

A site whose owner gives its agents a [key ring](../how-to/keep-a-key.md) (`[seal]`) has values sealed that would leave in
clear, or not at all. The gateway seals them with AES-256-GCM. It binds each to its Deployment, its kind and its place, and opens it for the site's tasks
and triggers. The plane stores `{{"sealed_by": "frankfurt, key 2026-11", "tradewind_sealed": "…"}}`, and Airflow's UI shows that.

| what an author writes as data | without a key ring | with one | bound to | what the plane reads of it |
|---|---|---|---|---|
| an XCom that is no reference | refused | sealed | Dag, run, task, map index, key | how many items it has, when a task is mapped over it |
| XComs that Airflow's scheduler reads (`skipmixin_key`, `trigger_run_id`) | clear | clear | | ids of tasks and of a run |
| a task's state (`task_state_store`) | refused unless a reference | sealed | Dag, run, task, map index, key | key, expiry |
| an asset's state (`asset_state_store`) | refused unless a reference | sealed | asset and key | key |
| arguments of a trigger, `next_kwargs` | sealed with the site's key | sealed with the key ring | task instance, class or method | class of the trigger, method, timeout, queue |
| the event of a trigger | clear | sealed | task instance | that it fired |
| an XCom of a trigger that ends its task | refused unless a reference | sealed | Dag, run, task, map index, key | the state of the task |
| the extra of an asset event | clear | sealed | Dag, run, task, map index, asset | asset, partition key, source |
| the extra of an asset that an alias makes | clear | sealed | asset | name and URI |
| parameters of a run that a task starts (`conf`) | clear | sealed | Dag and run | Dag, run id, note, logical date, partition key |
| parameters that a user types into the UI or sends to Airflow's API | clear | clear | | all: the plane has them first |
| arguments in a serialized Dag (`start_trigger_args`, watchers, deadlines) | sealed with the site's key | as without | class or function, Dag, task | name of the class or function |
| the event of a deadline's callback | clear | clear | | how the callback ended, and the text of its error |
| `rendered_map_index`, `retry_reason`, `note`, `partition_key` | clear | clear | | all: the UI shows them |
| questions for people (`hitl`) | clear | clear | | all: people answer in the UI |
| text of an exception | clear, masked | clear, masked | | all |

Where the owner [takes sealed values only](../how-to/keep-a-key.md#take-sealed-values-only), references are sealed as well, and a value of these rows that comes
back clear fails the task that reads it: XComs, state, events of triggers, extras of asset events. Parameters of runs have
[signatures](../how-to/rules.md#run-what-people-have-signed) for that.

XComs, state and trigger arguments that the owner has opened (`xcom`, `store` or `triggers` = `open`) leave in clear, whatever the key ring is.
The sizes of sealed values are theirs, plus a third and about 150 bytes.

### Defaults of params

The form that starts a run shows a notice where a default stays at the site. If the user leaves it, the default of the site's own Dag
counts. If the user replaces it, the new value counts. The site, and not the plane, checks such a value against `enum`, `pattern` and other rules
before the task runs.

Under either policy, the plane keeps no regular expression (`pattern`, `patternProperties`) and no reference of a param's schema: one that
never ends would hold up the scheduler. The form does not check them. The site does, before the task runs.

### Exceptions

`dag_fields` lists fields that leave although `dags` is strict: `BashOperator:bash_command`,
`acme.operators.*:sql`, `*:doc_md`, `dag:description`, `dag:deadline`, `task_group:tooltip`, `asset:extra`, `asset:watchers`,
`timetable:description`, `param:region`. A change sends all Dags again.

## What passes under strict although an author chose it

Airflow needs these to go on, so a Dag author keeps data out of them, or the site has a [key ring](#the-owners-key-ring) for those that it can
seal. The ledger says which requests carried one (`carries`).

{carried}
- `POST {sync}`: the payload of a trigger's event, without a key ring
- `POST {sync}`, `POST {report}`: the text of an exception, with the secrets of the site's masker replaced by `***`

Also: the name of the user a task runs as, process ids, times, the names of Dags, tasks, runs, keys, fields and assets.
A name under `.invalid` with the agent's name replaces the host name, so that no process of the plane can connect to it.

## Between sites of one Deployment

Two [sites](glossary.md#site) of one Deployment are two parties. Whatever an agent of one asks, the plane gives it no work, trigger, XCom value,
state, run, event of an asset or log of the other. Only an administrator opens more: `tradewind site-access` shows and
changes the list. Users of the plane see the names of both sites' Dags. The [threat model](threat-model.md) says what stops an agent that asks, and
what the sites share.

## Between tasks of one site

Tasks of one task environment run as one operating-system user and are forked from the same processes, as under
LocalExecutor. Each attempt has its own secret for the gateway. A supervisor drops the secret and its connection before it serves the
next attempt. A [process manager](glossary.md#process-manager) forks the task's process, which inherits neither its supervisor's memory nor
the secret of an attempt. But a process does not wipe memory that it frees, and processes of one user can read each other's memory.
To keep a task apart from the others, run it on an agent of its own, under a user of its own.

## The ledger's words

A line of the ledger names the classes of content that its request carried (`carries`): the fields above, and

{classes}

## Every verb of the Remote Execution API

| verb | sender | carries at most | what an author may put into it, and what strict rules do with it |
|---|---|---|---|
{verbs}

## Every route of the Execution API

The gateway refuses a route that is not in this table, unless all kinds are open.

| route | callers | under strict |
|---|---|---|
"""

_WORDS = {
    Treatment.CONTROL: "passes",
    Treatment.STATE: "passes",
    Treatment.RUN: "passes",
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
    who = ", ".join(sorted(caller.value.replace("_", " ") for caller in route.callers)) or "none"
    refused = not route.callers
    word = "refused" if refused else _WORDS[route.treatment]
    why = route.why.removeprefix(f"{word}: ")
    return f"| `{route.method} {route.template}` | {who} | **{word}**: {why} |"


TARGET = Path(__file__).parents[3] / "docs" / "reference" / "data-boundary.md"

if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
