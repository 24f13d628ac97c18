"""Options of Airflow and environment variables, in layers."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.api.resources import page
from tradewind_platform.domain.configuration import Layer
from tradewind_platform.services import configuration
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import OptionView, SetOption, SetVariable, SetVariables, VariableView

router = APIRouter()


class LayerPath(str, Enum):
    """What a layer belongs to, as it stands in a path."""

    CLUSTERS = "clusters"
    WORKSPACES = "workspaces"
    DEPLOYMENTS = "deployments"

    @property
    def layer(self) -> Layer:
        return Layer(self.value.removesuffix("s"))


Option = Annotated[str, Path(max_length=200, pattern=r"^[a-z0-9_]{1,60}\.[a-z0-9_]{1,120}$")]
Variable = Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


@router.get("/{scope}/{reference}/configuration")
def list_options(
    request: Request, scope: LayerPath, reference: Reference, limit: Limit = 100, offset: Offset = 0
) -> Page[OptionView]:
    """Options of Airflow that count there, with the layer that each is from. What the platform sets is not among them."""
    with reading(request) as (db, caller):
        return page(configuration.options(db, caller, scope.layer, reference), limit, offset)


@router.put("/{scope}/{reference}/configuration/{option}", response_model=OptionView)
def set_option(
    request: Request,
    scope: LayerPath,
    reference: Reference,
    option: Option,
    ask: SetOption,
    reason: Reason = "",
) -> Response:
    """Set an option. A Deployment has it once its configuration is applied."""
    return changes.run(
        request,
        "configuration.set",
        ask,
        lambda change: configuration.set_option(change, scope.layer, reference, option, ask),
        reason=reason,
    )


@router.delete("/{scope}/{reference}/configuration/{option}", status_code=204)
def unset_option(
    request: Request, scope: LayerPath, reference: Reference, option: Option, reason: Reason = ""
) -> Response:
    """Let the layer around it decide."""
    return changes.run(
        request,
        "configuration.unset",
        None,
        lambda change: configuration.unset_option(change, scope.layer, reference, option),
        reason=reason,
        status=204,
    )


@router.get("/{scope}/{reference}/variables")
def list_variables(
    request: Request, scope: LayerPath, reference: Reference, limit: Limit = 100, offset: Offset = 0
) -> Page[VariableView]:
    """Environment variables that count there, with the layer that each is from. A secret one has no value."""
    ring = platform_of(request).ring
    with reading(request) as (db, caller):
        return page(configuration.variables(db, caller, ring, scope.layer, reference), limit, offset)


@router.patch("/{scope}/{reference}/variables", status_code=204)
def set_variables(
    request: Request, scope: LayerPath, reference: Reference, ask: SetVariables, reason: Reason = ""
) -> Response:
    """Set these, all or none, and keep the others."""
    return changes.run(
        request,
        "variable.import",
        ask,
        lambda change: configuration.set_variables(change, scope.layer, reference, ask),
        reason=reason,
        status=204,
    )


@router.put("/{scope}/{reference}/variables/{variable}", response_model=VariableView)
def set_variable(
    request: Request,
    scope: LayerPath,
    reference: Reference,
    variable: Variable,
    ask: SetVariable,
    reason: Reason = "",
) -> Response:
    """Set an environment variable. A Deployment has it once its configuration is applied."""
    return changes.run(
        request,
        "variable.set",
        ask,
        lambda change: configuration.set_variable(change, scope.layer, reference, variable, ask),
        reason=reason,
    )


@router.delete("/{scope}/{reference}/variables/{variable}", status_code=204)
def unset_variable(
    request: Request, scope: LayerPath, reference: Reference, variable: Variable, reason: Reason = ""
) -> Response:
    """Let the layer around it decide."""
    return changes.run(
        request,
        "variable.unset",
        None,
        lambda change: configuration.unset_variable(change, scope.layer, reference, variable),
        reason=reason,
        status=204,
    )


@router.post("/deployments/{deployment}/apply", status_code=202, response_model=OperationView)
def apply_configuration(request: Request, deployment: Reference, reason: Reason = "") -> Response:
    """Restart its processes with what is set now, API servers first. Its tasks go on."""
    return changes.run(
        request,
        "deployment.apply",
        None,
        lambda change: configuration.apply(change, deployment),
        reason=reason,
        status=202,
    )
