"""Write docs/reference/agent-settings.md from the settings classes."""

from __future__ import annotations

import typing
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from tradewind_agent.rules import OwnerRules, ScopedLimits
from tradewind_agent.settings import PREFIX, EnvironmentSettings, SealSettings, Settings

_INTRODUCTION = f"""# Agent settings

Generated from `tradewind_agent.settings` by `packages/agent/scripts/settings_page.py`.

Every setting has a place in the TOML file (`tradewind-agent run --config agent.toml`), and a variable: `{PREFIX}` and
its name in capitals. Settings people change by hand have a flag as well (`--slots`). A flag wins over a variable, a
variable over the file. Lists are written with commas in flags and variables, and as TOML arrays in the file; secrets are
never flags.

```toml
plane_url = "https://airflow.example.com/my-deployment"
token_file = "/etc/tradewind/token"

[[environments]]
name = "default"
interpreter = "/opt/airflow/bin/python"
queues = ["default", "reports"]
slots = 20
env = {{ AIRFLOW__SECRETS__BACKEND = "airflow.providers.hashicorp.secrets.vault.VaultBackend" }}
```
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## The agent",
            "",
            *_table(Settings),
            "",
            "## Each of `environments`",
            "",
            *_table(EnvironmentSettings),
            "",
            "## `rules`",
            "",
            "What the owner of the site lets the plane have run ([how to](../how-to/rules.md)), in `[rules]`, or in `rules_file` without that",
            "head. Lists have names with `*` and `?`; one that begins with `!` is an exception.",
            "",
            *_table(OwnerRules),
            "",
            "### Each of `rule`",
            "",
            *_table(ScopedLimits),
            "",
            "## `seal`",
            "",
            "How the plane keeps values that it shall not read ([how to](../how-to/keep-a-key.md)), in `[seal]`.",
            "",
            *_table(SealSettings),
            "",
            "Variables that processes of task environments never get: `TRADEWIND_…`, and what opens the orchestration plane (its",
            "database connection, Fernet key, JWT secret, Celery settings). Naming one in `env` is refused.",
            "",
        ]
    )


def _table(model: type[BaseModel]) -> list[str]:
    rows = ["| setting | type | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        text = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {text} |")
    return rows


def _type(annotation: object) -> str:
    options = [each for each in typing.get_args(annotation) if each is not type(None)]
    if type(None) in typing.get_args(annotation) and len(options) == 1:
        return _type(options[0])
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(str(each) for each in options)
    if typing.get_origin(annotation) is tuple:
        return f"list of {_type(options[0])}"
    if typing.get_origin(annotation) is dict:
        return "table"
    if typing.get_origin(annotation) is typing.Annotated:
        return _type(options[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(each.value for each in annotation)
    names = {
        str: "text",
        int: "number",
        float: "number",
        Path: "path",
        SecretStr: "secret",
        bool: "true or false",
    }
    return names.get(typing.cast(type, annotation), "table")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default in (None, "", ()):
        return ""
    if isinstance(field.default, tuple):
        shown = [each.value if isinstance(each, Enum) else str(each) for each in field.default]
        return ", ".join(f"`{each}`" for each in shown)
    return f"`{field.default.value if isinstance(field.default, Enum) else field.default}`"


if __name__ == "__main__":
    target = Path(__file__).parents[3] / "docs" / "reference" / "agent-settings.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), encoding="utf-8")
