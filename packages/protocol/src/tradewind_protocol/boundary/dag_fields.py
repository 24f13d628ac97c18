"""Which fields of a serialized Dag the plane gets under strict rules, and in what form. Whatever is not named stays.

After Airflow 3.3's `serialization/schema.json` and its serializers. A field passes only with a value of the form given
here: a number where Airflow schedules by a number, a name where it shows or compares a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Form = Callable[[Any], bool]

LONGEST_NAME: Final = 1024
"""Characters. Airflow's own limits are 250 for most names and 1,500 for a URI; longer text is no name."""

TYPE: Final = "__type"
VAR: Final = "__var"
"""How Airflow marks an encoded value."""

_MEASURES: Final = frozenset({"timedelta", "datetime", "relativedelta", "timezone"})


def is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A number, a duration or a moment, encoded or not."""
    if isinstance(value, dict):
        return set(value) == {TYPE, VAR} and value[TYPE] in _MEASURES and is_measure(value[VAR])
    return value is None or isinstance(value, (bool, int, float))


def is_measure(value: Any) -> bool:
    """What a number is encoded as; a relativedelta is a map of names to numbers."""
    if isinstance(value, dict):
        return all(is_name(key) and is_measure(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_number(item) for item in value)
    return is_number(value) or is_name(value)


def is_name(value: Any) -> bool:
    """One line of text, short enough to be a name."""
    return value is None or (
        isinstance(value, str) and len(value) <= LONGEST_NAME and not any(c in value for c in "\n\r\0")
    )


def is_name_or_number(value: Any) -> bool:
    return is_name(value) or is_number(value)


def are_names(value: Any) -> bool:
    """Names, in lists and maps."""
    if isinstance(value, dict):
        return all(is_name(key) and are_names(item) for key, item in value.items())
    if isinstance(value, list):
        return all(are_names(item) for item in value)
    return is_name_or_number(value)


NAMES_OF_OPERATORS: Final = (
    "task_id",
    "task_type",
    "_task_module",
    "_operator_name",
    "_task_display_name",
    "task_display_name",
    "owner",
    "queue",
    "pool",
    "executor",
    "trigger_rule",
    "weight_rule",
    "run_as_user",
    "ui_color",
    "ui_fgcolor",
    "_expand_input_attr",
)
LISTS_OF_OPERATORS: Final = (
    "downstream_task_ids",
    "template_fields",
    "template_ext",
    "template_fields_renderers",
    "_operator_extra_links",
)
NUMBERS_OF_OPERATORS: Final = (
    "retries",
    "retry_delay",
    "max_retry_delay",
    "retry_exponential_backoff",
    "execution_timeout",
    "start_date",
    "end_date",
    "priority_weight",
    "pool_slots",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
)
FLAGS_OF_OPERATORS: Final = (
    "depends_on_past",
    "ignore_first_depends_on_past",
    "wait_for_past_depends_before_skipping",
    "wait_for_downstream",
    "do_xcom_push",
    "email_on_failure",
    "email_on_retry",
    "multiple_outputs",
    "allow_nested_operators",
    "render_template_as_native_obj",
    "is_setup",
    "is_teardown",
    "on_failure_fail_dagrun",
    "_on_failure_fail_dagrun",
    "has_on_execute_callback",
    "has_on_failure_callback",
    "has_on_skipped_callback",
    "has_on_success_callback",
    "has_on_retry_callback",
    "has_retry_policy",
    "start_from_trigger",
    "reschedule",
    "_needs_expansion",
    "_is_mapped",
    "_is_sensor",
    "_is_empty",
    "_can_skip_downstream",
    "_disallow_kwargs_override",
)

NAMES_OF_DAGS: Final = ("dag_id", "dag_display_name", "fileloc", "relative_fileloc")
LISTS_OF_DAGS: Final = ("tags", "allowed_run_types", "access_control", "edge_info")
NUMBERS_OF_DAGS: Final = (
    "max_active_tasks",
    "_concurrency",
    "max_active_runs",
    "max_consecutive_failed_dag_runs",
    "start_date",
    "end_date",
    "dagrun_timeout",
)
FLAGS_OF_DAGS: Final = (
    "catchup",
    "fail_fast",
    "is_paused_upon_creation",
    "has_on_success_callback",
    "has_on_failure_callback",
    "render_template_as_native_obj",
    "disable_bundle_versioning",
    "rerun_with_latest_version",
)

NAMES_OF_GROUPS: Final = ("_group_id", "group_display_name", "ui_color", "ui_fgcolor")
LISTS_OF_GROUPS: Final = (
    "upstream_group_ids",
    "downstream_group_ids",
    "upstream_task_ids",
    "downstream_task_ids",
)
FLAGS_OF_GROUPS: Final = ("prefix_group_id", "is_mapped")


def _forms(
    names: tuple[str, ...], lists: tuple[str, ...], numbers: tuple[str, ...], flags: tuple[str, ...]
) -> dict[str, Form]:
    return {
        **dict.fromkeys(names, is_name),
        **dict.fromkeys(lists, are_names),
        **dict.fromkeys(numbers, is_number),
        **dict.fromkeys(flags, is_flag),
    }


OPERATOR: Final[Mapping[str, Form]] = _forms(
    NAMES_OF_OPERATORS, LISTS_OF_OPERATORS, NUMBERS_OF_OPERATORS, FLAGS_OF_OPERATORS
)
DAG: Final[Mapping[str, Form]] = {
    **_forms(NAMES_OF_DAGS, LISTS_OF_DAGS, NUMBERS_OF_DAGS, FLAGS_OF_DAGS),
    "timezone": is_name_or_number,
}
GROUP: Final[Mapping[str, Form]] = _forms(NAMES_OF_GROUPS, LISTS_OF_GROUPS, (), FLAGS_OF_GROUPS)

NEVER_TEXT: Final = frozenset(
    {"executor_config", "resources", "default_args", "owner_links", "params", "inlets", "outlets"}
)
"""Fields in which Airflow reads no text, so that no notice can stand in them: they are left out, and counted in the
notice in `doc_md`."""

HOST_ONLY: Final = frozenset({"_processor_dags_folder"})
"""Where the site keeps its Dags: says nothing about them, and differs from agent to agent."""

SCHEMA_WORDS: Final = frozenset(
    {
        *("type", "enum", "const", "format", "pattern", "title", "description", "description_md", "section"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
        *("items", "prefixItems", "contains", "properties", "additionalProperties", "required"),
        *("anyOf", "oneOf", "allOf", "not", "examples", "values_display", "placeholder"),
    }
)
"""What of a param's JSON schema passes: what Airflow's form for starting a run is made of."""

TIGHT_WORDS: Final = frozenset(
    {
        *("enum", "const", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
        *("items", "prefixItems", "contains", "uniqueItems", "properties", "additionalProperties"),
        *("required", "minProperties", "maxProperties", "anyOf", "oneOf", "allOf", "not"),
    }
)
"""What of a schema a notice in the default's place would break. It is left out then: the site, which has the whole
schema, checks again before a task runs."""
