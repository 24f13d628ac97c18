"""Errors of the agent, and what has to follow from each.

* AgentError
  * SettingsWrong          a setting cannot work; a person changes it (exit 78)
  * KeyRingUnavailable     the owner's key ring could not be fetched; another try may get it
  * StateDirectoryInUse    another agent runs from the same state directory (exit 78)
  * PlaneUnreachable       no plane answered; the same request may be sent again
  * RefusedForGood         the plane refuses this agent and no retry cures it (exit 3)
  * Fenced                 another process has this agent's identity; nothing may run here (exit 4)
  * EnvironmentBroken      a process of a task environment failed; reported as a finding, the others go on

A request that the plane understood and refused is `tradewind_protocol.errors.Refused`; `plane/retry.py` says what
follows from each of its codes.
"""

from __future__ import annotations

from tradewind_protocol.errors import Refused


class AgentError(Exception):
    """The base. `exit_code` is what the command ends with when the error reaches it."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message + (f". {remedy}" if remedy else ""))
        self.message = message
        self.remedy = remedy


class SettingsWrong(AgentError):
    """A setting is missing, malformed or contradicts another."""

    exit_code = 78  # EX_CONFIG: a supervisor may be told not to restart on it


class KeyRingUnavailable(AgentError):
    """The owner's key ring could not be fetched from where it is kept; another try may get it."""


class StateDirectoryInUse(AgentError):
    """Another process holds the state directory: two agents with one identity would fence each other for ever."""

    exit_code = 78


class PlaneUnreachable(AgentError):
    """No plane answered: the network, a proxy, a load balancer, a sign-in page, a plane that is starting.

    `may_have_arrived` is False only when it is certain that the plane never saw the request, so that even a verb
    that is not idempotent can be sent again.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        may_have_arrived: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.may_have_arrived = may_have_arrived
        self.retry_after = retry_after  # seconds the other side asked for


class RefusedForGood(AgentError):
    """The plane knows why it will never serve this agent: the token, the Deployment, the version."""

    exit_code = 3

    def __init__(self, refused: Refused) -> None:
        refusal = refused.refusal
        super().__init__(f"{refusal.message} ({refusal.error.value})", remedy=refusal.remedy)
        self.refused = refused


class Fenced(AgentError):
    """The session was fenced: a newer process opened one with the same agent id."""

    exit_code = 4


class EnvironmentBroken(AgentError):
    """A process of a task environment did not start, or ended."""
