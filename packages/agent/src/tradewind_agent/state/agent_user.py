"""The user that an agent becomes when root starts it.

A container gives capabilities to root only, so an agent that shall run tasks as another user is started by root there. It
keeps what it needs to start them, gives up the rest, and is no root before it reads its token or connects to anything.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.kits import kernel
from tradewind_agent.settings import Settings
from tradewind_agent.state import task_users

_FOR_ALL = 0o777


def become(settings: Settings) -> Settings:
    """Be the user of the setting `user` from now on, with capabilities only where an environment has `run_as`. Does nothing
    where another user than root started this process, or `user` is empty.

    Returns the settings with `run_as` where none was set and this machine has a user `<user>-tasks`. Raises SettingsWrong.
    """
    if not settings.user or os.geteuid() != 0:
        return settings
    found = named(settings.user)
    settings = _with_task_user(settings)
    users = [user for each in settings.task_environments if (user := task_users.user_of(each)) is not None]
    if users:
        task_users.require_privileges()
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _give(settings.state_dir, found)
        _protect_temporary_files()
    except OSError as error:
        raise SettingsWrong(
            f"state_dir {settings.state_dir} cannot be given to user {found.pw_name}: {error}",
            remedy=f"chown -R {found.pw_name} {settings.state_dir}",
        ) from error
    switch(found, groups=[user.gid for user in users], keep=task_users.CAPABILITIES.values() if users else ())
    return settings


def named(name: str) -> pwd.struct_passwd:
    """The user of the setting `user`. Raises SettingsWrong for one that is not there, and for root."""
    found = task_users.account("user", name)
    if found.pw_uid == 0:
        raise SettingsWrong(f"user: {name!r} is root", remedy="Name a user that is not, or leave user out")
    return found


def switch(user: pwd.struct_passwd, *, groups: Iterable[int] = (), keep: Iterable[int] = ()) -> None:
    """Become that user, with its groups and these, and of the capabilities with these only. Raises SettingsWrong."""
    try:
        os.setgroups(sorted({user.pw_gid, *os.getgrouplist(user.pw_name, user.pw_gid), *groups}))
        os.setgid(user.pw_gid)
        with kernel.capabilities_over_a_change_of_user(keep):
            os.setuid(user.pw_uid)
    except OSError as error:
        raise SettingsWrong(
            f"root cannot become user {user.pw_name}: {error.strerror or error}",
            remedy=f"Give the container the capabilities {', '.join(task_users.CAPABILITIES)}, or start it as another user than root",
        ) from error
    os.environ |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}


def _with_task_user(settings: Settings) -> Settings:
    if any(each.run_as for each in settings.task_environments):
        return settings
    name = f"{settings.user}-tasks"
    try:
        pwd.getpwnam(name)
    except KeyError:
        return settings
    each_with = tuple(each.model_copy(update={"run_as": name}) for each in settings.environments)
    return settings.model_copy(update={"run_as": name, "environments": each_with})


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    """Make that user's what root has made here, such as a volume's folder. Folders that tasks write to are left as they are."""
    owner = folder.stat().st_uid
    try:
        entries = list(os.scandir(folder))
    except PermissionError:  # root without CAP_DAC_OVERRIDE, as in a container
        if owner != user.pw_uid:
            raise
        return  # only that user has written here
    for entry in entries:
        if entry.name in task_users.SHARED:
            continue
        if entry.is_dir(follow_symlinks=False):
            _give(Path(entry.path), user)
        elif entry.stat(follow_symlinks=False).st_uid == 0:
            os.chown(entry.path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    if owner == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _protect_temporary_files() -> None:
    """A volume for temporary files lets each user remove those of others, unless it is made as /tmp is."""
    folder = Path(tempfile.gettempdir())
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _FOR_ALL == _FOR_ALL and not mode & stat.S_ISVTX and folder.stat().st_uid == 0:
        folder.chmod(mode | stat.S_ISVTX)
