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


def main() -> int:
    """Exit status 0 when the backends could be asked."""
    asked = json.loads(sys.stdin.read())
    environment.prepare(Configure.model_validate(asked["configure"]))
    from tradewind_runtime.airflow import secrets_backends

    answer = secrets_backends.variable_of_the_site(asked["variable"])
    print(MARK + json.dumps(answer), flush=True)  # noqa: T201 (this is the answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
