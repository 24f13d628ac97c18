"""`tradewind platform`: what is done on the platform's own machine. A file for each noun."""

from __future__ import annotations

import click

from tradewind_platform.commands.admin import admin
from tradewind_platform.commands.allowed_ips import allowed_ips
from tradewind_platform.commands.backup import backup, restore
from tradewind_platform.commands.controller import controller
from tradewind_platform.commands.demo import demo
from tradewind_platform.commands.doctor import doctor
from tradewind_platform.commands.down import down
from tradewind_platform.commands.eject import eject
from tradewind_platform.commands.keys import keys
from tradewind_platform.commands.run import run


@click.group()
def platform() -> None:
    """Run many Deployments: the platform of this machine."""


for _command in (run, controller, doctor, backup, restore, down, eject, admin, allowed_ips, keys, demo):
    platform.add_command(_command)
