"""How an agent is started."""

from __future__ import annotations

import sys
from importlib.metadata import version

from fastapi import APIRouter

from tradewind_protocol import operator
from tradewind_provider import settings
from tradewind_provider.api.operator.access import Reader
from tradewind_provider.domain import recipes

router = APIRouter(prefix="/recipes", tags=["Recipes"])


@router.post("", summary="Get the commands that start an agent")
def make(ask: operator.AskRecipes, caller: Reader) -> operator.Recipes:
    """For a host, systemd, a container, Helm and Kubernetes, in the versions of this plane. Changes nothing. Agents get the
    address of [tradewind] agent_url; if it is not set, that of `plane_url`. For values that cannot work, the answer names the field and what is wrong with it."""
    wanted = recipes.RecipeRequest(
        plane_url=settings.current().agent_url or ask.plane_url.rstrip("/"),
        name=ask.name,
        components=ask.components,
        queues=ask.queues,
        slots=ask.slots,
        bundle=recipes.Bundle(**ask.bundle.model_dump()),
        site=ask.site,
        storage=ask.storage,
        secrets=recipes.Secrets(**ask.secrets.model_dump()),
        logs=recipes.Logs(**ask.logs.model_dump()),
        image=ask.image,
        packages=ask.packages,
    )
    if found := recipes.problems(wanted):
        return operator.Recipes(
            problems=tuple(operator.RecipeProblem(field=one.field, message=one.message) for one in found)
        )
    return operator.Recipes(
        recipes=tuple(
            operator.Recipe(
                key=one.key,
                title=one.title,
                steps=tuple(
                    operator.RecipeStep(explained=step.explained, what=step.what, text=step.text)
                    for step in one.steps
                ),
            )
            for one in recipes.recipes(wanted, _versions())
        )
    )


def _versions() -> recipes.Versions:
    return recipes.Versions(
        tradewind=version("tradewind-provider"),
        airflow=version("apache-airflow-core"),
        python="{}.{}".format(*sys.version_info),
    )
