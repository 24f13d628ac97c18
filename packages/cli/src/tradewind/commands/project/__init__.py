"""`tradewind project`: write a project, check it, build it, run it here, hand it on."""

from __future__ import annotations

import click

from tradewind.commands.project.build import build
from tradewind.commands.project.check import check
from tradewind.commands.project.deploy import deploy
from tradewind.commands.project.deploys import deploys
from tradewind.commands.project.dev import dev
from tradewind.commands.project.init import init


@click.group()
def project() -> None:
    """A project: the plane's and the site's packages, Dags, settings and images.

    init writes one, dev runs it here, check parses its Dags, build makes images or environments, deploy hands them on,
    deploys lists what a Deployment was given, and rolls it back.
    """


for command in (init, check, build, dev, deploy, deploys):
    project.add_command(command)
