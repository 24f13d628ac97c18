"""`python -m tradewind_runtime.site_secret`: one variable of the site's secrets backends, asked by the agent for itself.

Reads one line of JSON on standard input: a `Configure`, and the variable's name. Prints one line of JSON behind a mark, with the
value or why there is none. Runs in the task environment, since only there a backend can sign in.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment

MARK: Final = "tradewind-secret "

_AWAY: Final = frozenset({"ExecutionAPISecretsBackend", "MetastoreBackend"})
"""Backends of the plane."""


def main() -> int:
    """Exit status 0 when the backends could be asked."""
    asked = json.loads(sys.stdin.read())
    environment.prepare(Configure.model_validate(asked["configure"]))
    print(MARK + json.dumps(found(asked["variable"])), flush=True)  # noqa: T201 (this is the answer)
    return 0


def found(variable: str) -> dict[str, str]:
    """`value`, or `problem`."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    from tradewind_runtime.airflow import secrets_backends as reports

    backends = [each for each in ensure_secrets_backend_loaded() if type(each).__name__ not in _AWAY]
    for backend in backends:
        try:
            value = backend.get_variable(variable)
        except Exception as error:
            return {"problem": reports.sentence(type(backend).__name__, "variable", variable, error)}
        if value is not None:
            return {"value": str(value)}
        if (kept := reports.kept_back(backend, "variable", variable)) is not None:
            return {"problem": reports.sentence(type(backend).__name__, "variable", variable, kept)}
    return {"problem": f"it is in none of {', '.join(type(each).__name__ for each in backends)}"}


if __name__ == "__main__":
    sys.exit(main())
