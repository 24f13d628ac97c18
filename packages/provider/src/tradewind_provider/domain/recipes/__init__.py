"""How an agent is installed and started: texts for a person to copy into a shell, made from what they filled in.

Pure functions. Each step of a recipe is a whole shell command: files are written by it, and a value cannot become a command.
Tests run the steps as they stand (tests/on_airflow/test_recipes_to_the_letter.py).
"""

from tradewind_provider.domain.recipes.container import container
from tradewind_provider.domain.recipes.helm import helm
from tradewind_provider.domain.recipes.host import host
from tradewind_provider.domain.recipes.kubernetes import kubernetes
from tradewind_provider.domain.recipes.requests import (
    Bundle,
    FieldProblem,
    Logs,
    Recipe,
    RecipeRequest,
    RecipeStep,
    Secrets,
    Versions,
)
from tradewind_provider.domain.recipes.systemd import systemd
from tradewind_provider.domain.recipes.validation import problems

__all__ = [
    "Bundle",
    "FieldProblem",
    "Logs",
    "Recipe",
    "RecipeRequest",
    "RecipeStep",
    "Secrets",
    "Versions",
    "problems",
    "recipes",
]


def recipes(request: RecipeRequest, versions: Versions) -> tuple[Recipe, ...]:
    """Every way to run that agent. `request` must be without problems."""
    return tuple(make(request, versions) for make in (host, systemd, container, helm, kubernetes))
