"""The operator API keeps what its OpenAPI description promises, whatever is sent."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support import described
from tradewind_protocol import errors
from tradewind_provider.api.operator.app import create_app

DESCRIBED = create_app()
OPERATIONS = described.operations(DESCRIBED)
MORE = int(os.environ.get("TRADEWIND_TEST_EXAMPLES", "0"))
"""So many requests of each route and kind, and other ones each time: a long search. Unset: the same few each time."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_route_is_described_and_asked() -> None:
    paths = DESCRIBED.openapi()["paths"].items()
    assert sorted((method.upper(), path) for path, verbs in paths for method in verbs) == OPERATIONS


@pytest.fixture(scope="module")
def description(signed_in_app: Any) -> Any:
    return described.read(signed_in_app, "/tradewind/openapi.json")


@pytest.fixture
async def token(signed_in: Any) -> str:
    return str(signed_in("ada").headers["Authorization"])


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "misfits"])
@pytest.mark.timeout(240)
def test_any_request_is_answered_as_described(
    app: Any, description: Any, rows: Any, token: str, method: str, path: str, mode: GenerationMode
) -> None:
    operation = description[path][method]
    agent_id = rows.agent()
    there = {"agent_id": agent_id, "token_id": rows.token("there")}
    rows.bundle("there")
    there["name"] = "there"
    there["grant_id"] = uuid4()
    there["attempt_id"] = rows.attempt("running", session_id=rows.session_of(agent_id))

    @settings(
        max_examples=MORE or 8,
        deadline=None,
        derandomize=not MORE,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def every(case: Any, known: bool) -> None:
        if known and mode is GenerationMode.POSITIVE:
            case.path_parameters = {name: str(there[name]) for name in case.path_parameters}
        # a line break in the path ends at Airflow's own router, before anything of ours
        assume(not any("\n" in unquote(str(value)) for value in case.path_parameters.values()))
        answer = case.call_and_validate(headers={"Authorization": token}, checks=CHECKS)
        if answer.status_code >= 400:
            errors.Refusal.model_validate(answer.json())

    every()
