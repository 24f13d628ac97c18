"""The users that task environments run as, and what of the state directory is theirs.

Where `run_as` is set, the agent's own files (token, key, outbox, ledger) belong to a user that no task is. Tasks get the
folders they write to, and can pass through the state directory without listing it.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.settings import EnvironmentSettings, Settings

SHARED: Final = ("airflow", "bundles", "state", "task-logs", "task-logs-waiting", "xcom")
"""Folders of the state directory that task environments write to."""

UMASK: Final = 0o007
"""Of processes with a user of their own: what they write, the group reads and writes, and so does the agent."""

CAPABILITIES: Final = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""What an agent needs to run processes as other users, and the kernel's numbers of them."""

_PRIVATE_FOLDER, _PASSABLE, _SHARED_FOLDER = 0o700, 0o711, 0o2770


@dataclass(frozen=True)
class TaskUser:
    """A user of this machine, as a process becomes it."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def variables(self) -> dict[str, str]:
        """What a login as this user sets."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def user_of(environment: EnvironmentSettings) -> TaskUser | None:
    """The user that an environment's processes run as; None: the agent's. Raises SettingsWrong for one that is not there,
    for root, and for the agent's own."""
    name = environment.run_as
    if not name:
        return None
    found = account(f"run_as of environment {environment.name}", name)
    if found.pw_uid in (0, os.geteuid()):
        whose = "root" if found.pw_uid == 0 else "the agent's own user"
        raise SettingsWrong(
            f"run_as of environment {environment.name}: {name!r} is {whose}, so tasks would be apart from nothing",
            remedy="Name a user that owns nothing but what tasks need",
        )
    groups = tuple({found.pw_gid, *os.getgrouplist(name, found.pw_gid)})
    return TaskUser(name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def account(setting: str, name: str) -> pwd.struct_passwd:
    """The machine's user of that name. Raises SettingsWrong, which names the setting, when there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise SettingsWrong(
            f"{setting}: this machine has no user {name!r}",
            remedy=f"useradd --system --user-group --shell /usr/sbin/nologin {name}",
        ) from None


def prepare(settings: Settings) -> None:
    """Make the state directory fit for processes of other users. Does nothing where no environment has `run_as`.

    Raises SettingsWrong when this process may not start them, or when they could read a secret of the agent.
    """
    users = [user for each in settings.task_environments if (user := user_of(each)) is not None]
    if not users:
        return
    require_privileges()
    _require_one_group(users)
    _require_hidden(settings, users)
    os.umask(0o077)
    directory = settings.state_dir
    directory.mkdir(parents=True, exist_ok=True, mode=_PASSABLE)
    try:
        for name in SHARED:
            _give(directory / name, users[0])
        for entry in directory.iterdir():
            if entry.name not in SHARED and not entry.is_symlink():
                mode = stat.S_IMODE(entry.stat().st_mode)
                entry.chmod(mode & (_PRIVATE_FOLDER if entry.is_dir() else 0o600))
        directory.chmod(_PASSABLE)
    except OSError as error:
        raise SettingsWrong(
            f"state_dir {directory} cannot be shared with user {users[0].name}: {error}",
            remedy="Let state_dir and all in it belong to the agent's user, and make the agent's user a member of group "
            f"{_group_name(users[0].gid)}",
        ) from error


def let_write(environment: EnvironmentSettings, folder: Path) -> None:
    """Let an environment's processes write into a folder of the agent's. Raises OSError, SettingsWrong."""
    if (user := user_of(environment)) is not None and not missing_capabilities():
        os.chown(folder, -1, user.gid)
        folder.chmod(_SHARED_FOLDER)


def socket_group(settings: Settings) -> int | None:
    """The group whose processes may open the gateway's socket; None: those of the agent's user only."""
    users = (user_of(each) for each in settings.task_environments)
    return next((user.gid for user in users if user is not None), None)


def missing_capabilities() -> tuple[str, ...]:
    """Which capabilities this process lacks to run processes as other users. None of them for root."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    except (OSError, StopIteration, ValueError):
        return () if os.geteuid() == 0 else tuple(CAPABILITIES)
    return tuple(name for name, bit in CAPABILITIES.items() if not effective >> bit & 1)


def require_privileges() -> None:
    """Raises SettingsWrong when this process cannot run processes as other users."""
    if missing := missing_capabilities():
        raise SettingsWrong(
            f"run_as is set, and the agent may not run processes as another user: it lacks {', '.join(missing)}",
            remedy="Start it as root, or with AmbientCapabilities="
            f"{' '.join(CAPABILITIES)} in its systemd unit, or leave run_as out: docs/how-to/separate-users.md says "
            "what tasks can read then",
        )


def readable_secrets(settings: Settings, users: Iterable[TaskUser]) -> Iterator[tuple[Path, TaskUser]]:
    """Files with a secret of the agent that one of these users can read."""
    for path in (settings.token_file, settings.site_key_file, settings.client_key):
        if path is None or not path.exists():
            continue
        found = path.stat()
        for user in users:
            if user.uid == found.st_uid:
                bit = stat.S_IRUSR
            elif found.st_gid in user.groups:
                bit = stat.S_IRGRP
            else:
                bit = stat.S_IROTH
            if found.st_mode & bit:
                yield path, user


def _require_one_group(users: list[TaskUser]) -> None:
    if len({user.gid for user in users}) > 1:
        raise SettingsWrong(
            f"the users of run_as ({', '.join(user.name for user in users)}) have different primary groups, and share the "
            "folder of task logs",
            remedy="Give them one primary group",
        )


def _require_hidden(settings: Settings, users: list[TaskUser]) -> None:
    for path, user in readable_secrets(settings, users):
        raise SettingsWrong(
            f"user {user.name}, as which tasks run, can read {path}",
            remedy=f"chown {_user_name(os.geteuid())} {path} && chmod 400 {path}",
        )
    if settings.site_key_file is None and settings.storage.startswith(("/", "file://", "local://")):
        raise SettingsWrong(
            "the site's key would lie in the folder `storage`, to which tasks write",
            remedy="Set site_key_file to a file that the agent's user alone can read, the same for all agents of the site",
        )


def _give(folder: Path, user: TaskUser) -> None:
    """Make a folder of that user's, with all in it, should another user have written it."""
    if not folder.exists():
        folder.mkdir()
        folder.chmod(_SHARED_FOLDER)  # before it is another user's
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{folder} is no folder")
    if found.st_gid != user.gid or found.st_uid != user.uid:
        for _, folders, files, descriptor in os.fwalk(folder):
            for name in (*folders, *files):
                os.chown(name, user.uid, user.gid, dir_fd=descriptor, follow_symlinks=False)
        if found.st_uid == os.geteuid():
            folder.chmod(_SHARED_FOLDER)
        os.chown(folder, user.uid, user.gid, follow_symlinks=False)
    if os.geteuid() == 0:
        folder.chmod(_SHARED_FOLDER)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
