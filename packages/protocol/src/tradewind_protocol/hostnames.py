"""The host name of an attempt and of a triggerer, as Airflow keeps it.

Airflow's log readers open `http://<host name>:<port>/log/…`, whichever of them a Deployment has. An agent's word must
not decide where an API server connects to, so the plane makes the name itself, and makes it under `.invalid`: a domain
that exists for names that cannot be reached (RFC 2606). The agent's name is in it for people, in a form that keeps it one
label of a URL's host whatever characters it has.
"""

from __future__ import annotations

from urllib.parse import quote, unquote
from uuid import UUID

NOWHERE = ".invalid"


def of_attempt(agent: str, attempt_id: UUID, epoch: int) -> str:
    """A host name no other attempt has: Airflow tells one run of a task from another by host name, user and pid, and
    containers repeat all three."""
    return f"{quote(agent, safe='')}.{attempt_id.hex[-12:]}-{epoch}{NOWHERE}"


def of_triggerer(agent: str) -> str:
    """The host name of an agent's triggerer."""
    return quote(agent, safe="") + NOWHERE


def agent_of_attempt(hostname: str) -> str:
    """The agent's name in what `of_attempt` made; empty for anything else."""
    if not hostname.endswith(NOWHERE):
        return ""
    return unquote(hostname.removesuffix(NOWHERE).rpartition(".")[0])
