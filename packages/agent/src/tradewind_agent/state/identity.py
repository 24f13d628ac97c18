"""The identity of the agent, kept in its state directory from one start to the next."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from tradewind_agent.errors import SettingsWrong, StateDirectoryInUse
from tradewind_agent.kits import files


def agent_id(state_dir: Path) -> UUID:
    """The id kept in the state directory, made at the first call. Raises SettingsWrong when it cannot be read."""
    path = state_dir / "agent-id"
    try:
        if not path.exists():
            files.write_whole(path, f"{uuid4()}\n")
        return UUID(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise SettingsWrong(
            f"{path} does not hold the agent's id: {error}",
            remedy="Remove it; the agent comes back under a new identity",
        ) from error


def agent_key(state_dir: Path) -> str:
    """The key that proves the id, kept in the state directory, made at the first call. Raises SettingsWrong.

    The plane binds the id to it, so that another holder of an agent token cannot be this agent.
    """
    path = state_dir / "agent-key"
    remedy = "Remove it and agent-id; the agent comes back under a new identity"
    try:
        if not path.exists():
            files.write_whole(path, f"{secrets.token_urlsafe(32)}\n")
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise SettingsWrong(f"{path} does not hold the agent's key: {cause}", remedy=remedy) from error
    if not key:
        raise SettingsWrong(f"{path} does not hold the agent's key: it is empty", remedy=remedy)
    return key


def hold(state_dir: Path) -> AbstractContextManager[None]:
    """Make the state directory, mode 0700, and hold it while inside. Raises StateDirectoryInUse, SettingsWrong."""
    return _hold(state_dir)


@contextmanager
def _hold(state_dir: Path) -> Iterator[None]:
    try:
        files.make_private(state_dir)
        holding = files.held(state_dir / "agent.lock")
        holding.__enter__()
    except BlockingIOError:
        raise StateDirectoryInUse(
            f"another agent runs from {state_dir}", remedy="Give each agent its own state_dir"
        ) from None
    except OSError as error:
        raise SettingsWrong(
            f"state_dir {state_dir} cannot be used: {error.strerror or error}",
            remedy="Set state_dir to a directory the agent's user can write",
        ) from error
    try:
        yield
    finally:
        holding.__exit__(None, None, None)
