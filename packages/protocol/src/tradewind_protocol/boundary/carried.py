"""Classes of content that leave a site, as the ledger names them."""

from __future__ import annotations

from typing import Final

STRUCTURE: Final = "structure"  # names, schedule, dependencies, numbers
AUTHORS_TEXT: Final = "authors' text"  # of fields of Dags, where the owner lets it leave
SEALED: Final = "sealed arguments"  # only this site's agents can read them
SEALED_VALUES: Final = "sealed values"
SOURCE: Final = "source"
IMPORT_ERRORS: Final = "import errors"
WARNINGS: Final = "warnings"
REFERENCES: Final = "references"
VALUES: Final = "values"
EVENTS: Final = "event payload"
TRACEBACKS: Final = "traceback"
LOG_LINES: Final = "log lines"
FINDINGS: Final = "findings"
REASONS: Final = "reasons"
FACTS: Final = "facts about the machine"

MEANINGS: Final = {
    STRUCTURE: "names, schedule, dependencies and numbers of Dags and bundles",
    AUTHORS_TEXT: "fields of Dags as their author wrote them, because `dags` is open or `dag_fields` names some",
    SEALED: "arguments of triggers and deadline callbacks in a form only this site's agents can read",
    SEALED_VALUES: "values in a form that only agents with the key ring of the site's owner can read",
    SOURCE: "the text of Dag files",
    IMPORT_ERRORS: "why a Dag file could not be read",
    WARNINGS: "Airflow's warnings about a Dag",
    REFERENCES: "where a value lies in the site's storage",
    VALUES: "a value itself",
    EVENTS: "the event of a trigger for its task or asset",
    TRACEBACKS: "why a trigger failed",
    LOG_LINES: "a task's log, for a person who has it open",
    FINDINGS: "what the agent's own checks found",
    REASONS: "why an attempt ended, for a person",
    FACTS: "host name, processors, memory and versions",
}
