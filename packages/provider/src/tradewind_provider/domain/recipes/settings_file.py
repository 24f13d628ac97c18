"""agent.toml, the same in every recipe but for its paths."""

from __future__ import annotations

from typing import Final

from tradewind_provider.domain.recipes import site_services
from tradewind_provider.domain.recipes.requests import COMPONENTS, NONE, RecipeRequest
from tradewind_provider.domain.recipes.text import literal, table

_OF_ENVIRONMENT: Final = ("interpreter", "run_as", "queues", "slots")


def choices(wanted: RecipeRequest) -> dict[str, object]:
    """The settings a person chose, but for the plane's address and the bundle."""
    found: dict[str, object] = {"name": wanted.name}
    if set(wanted.components) != set(COMPONENTS):
        found["components"] = [one for one in COMPONENTS if one in wanted.components]
    found |= {"queues": list(wanted.queues), "slots": wanted.slots}
    if wanted.storage:
        found["storage"] = wanted.storage
    return found


def agent_toml(wanted: RecipeRequest, **more: object) -> str:
    """The whole file. `more`: what this way to run an agent sets, such as where token and state are."""
    settings = {"plane_url": wanted.plane_url, **choices(wanted), **more}
    variables = site_services.variables(wanted)
    # of the one environment, in a table of its own where that has variables
    own = {key: settings.pop(key) for key in _OF_ENVIRONMENT if key in settings} if variables else {}
    lines = [f"{key} = {literal(value)}" for key, value in settings.items()]
    if wanted.bundle.kind != NONE:
        lines += [
            "",
            "[[bundles]]",
            f"name = {literal(wanted.bundle.name)}",
            f"classpath = {literal(wanted.bundle.classpath)}",
            f"kwargs = {table(wanted.bundle.kwargs)}",
        ]
    if variables:
        lines += ["", "[[environments]]", 'name = "default"']
        lines += [f"{key} = {literal(value)}" for key, value in own.items()]
        lines += ["", "[environments.env]"]
        lines += [f"{key} = {literal(value)}" for key, value in variables.items()]
    return "\n".join(lines)
