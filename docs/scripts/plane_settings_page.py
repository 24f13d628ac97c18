"""Write docs/reference/plane-settings.md from the provider's options."""

from __future__ import annotations

from pathlib import Path

from tradewind_provider.options import ALL, Option

PAGE = Path(__file__).parents[1] / "reference" / "plane-settings.md"

_TOP = """# Plane settings

Generated from `tradewind_provider.options` by `docs/scripts/plane_settings_page.py`.

Section `[tradewind]` of the plane's `airflow.cfg`, or variables `AIRFLOW__TRADEWIND__<NAME>`, alike on every API server and
scheduler; each reads them when it starts. The error about a value that cannot be used names the option. All have defaults: a plane needs none of them. Intervals and limits that agents keep to are told to them with
their session, so nothing has to be set at the sites. `airflow config list --section tradewind` shows what is in force.

"""


def page() -> str:
    """The whole page."""
    short = ["| option | default |", "|---|---|"]
    short += [f"| [`{name}`](#{name}) | {_value(one.default)} |" for name, one in ALL.items()]
    return _TOP + "\n".join(short) + "\n" + "".join(_section(name, one) for name, one in ALL.items())


def _section(name: str, one: Option) -> str:
    facts = [f"- Default: {_value(one.default)}", f"- Values: {one.accepted}"]
    if one.example:
        facts.append(f"- Example: `{one.example}`")
    facts.append(f"- When to change it: {one.change}")
    return f"\n## {name}\n\n{one.description}\n\n" + "\n".join(facts) + "\n"


def _value(text: str) -> str:
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
