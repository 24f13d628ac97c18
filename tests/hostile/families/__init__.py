"""Every attempt, by family."""

from __future__ import annotations

from typing import Final

from ..attempts import Attempt
from . import bodies, credentials, dags, execution, fields, hosts, leases, operators, sites

ALL: Final[tuple[Attempt, ...]] = (
    *credentials.ATTEMPTS,
    *execution.ATTEMPTS,
    *leases.ATTEMPTS,
    *sites.ATTEMPTS,
    *hosts.ATTEMPTS,
    *bodies.ATTEMPTS,
    *fields.ATTEMPTS,
    *operators.ATTEMPTS,
    *dags.ATTEMPTS,
)
