"""Where the verbs live, and the headers they carry."""

from __future__ import annotations

from typing import Final
from uuid import UUID

PREFIX: Final = "/remote-execution/v1"
"""Everything an agent asks of the plane, the Execution API included. A Deployment's URL may put more in front."""

SESSIONS: Final = "/sessions"  # POST open, DELETE close
POLL: Final = "/poll"  # POST
DAGS: Final = "/dags"  # see tradewind_protocol.dags
TRIGGERS: Final = "/triggers"  # see tradewind_protocol.triggers
FINISH: Final = "/attempts/finish"  # POST outcomes of several attempts
EXECUTION: Final = "/execution"  # Airflow's Execution API, behind the session

OPERATOR_PREFIX: Final = "/tradewind/v1"
"""Everything a person or their script asks of the plane; Airflow's own sign-in applies."""

ATTEMPT_HEADER: Final = "Tradewind-Attempt"
"""On a request under EXECUTION: "<attempt id>:<epoch>", or the name of a component ("dag_processor", "triggerer")."""

ENDPOINT_HEADER: Final = "X-Tradewind-Endpoint"
"""Set by the gateway of a cluster: the private endpoint by which the request came, "aws:vpce-…", "azure:<link identifier>" or
"gcp:<connection id>", or "public". Believed of gateways only."""

REQUEST_HEADER: Final = "Tradewind-Request"
"""A fresh id for each request, repeated on its retries; it joins the logs of both sides."""


def start(attempt_id: UUID) -> str:
    return f"/attempts/{attempt_id}/start"


def finish(attempt_id: UUID) -> str:
    return f"/attempts/{attempt_id}/finish"


def hand_back(attempt_id: UUID) -> str:
    return f"/attempts/{attempt_id}/hand-back"
