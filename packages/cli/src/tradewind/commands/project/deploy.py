"""`tradewind project deploy`: push an image and roll it out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from tradewind.commands.project.build import build_parts
from tradewind.commands.project.options import builder_options, project_option
from tradewind.commands.session import Session, output_option, pass_session
from tradewind.errors import CommandError
from tradewind.project import builders, rollout, settings
from tradewind.project.settings import Project


@click.command()
@click.argument("part", type=click.Choice(settings.ROLES))
@click.option("--registry", required=True, help="Your registry, such as registry.example.com/team.")
@builder_options
@click.option("--release", help="Helm release of the agents. Default: the project's name.")
@click.option(
    "--namespace", default="", help="Namespace of the release. Default: that of your kubectl context."
)
@click.option("--chart", help="The agents' chart. Default: the one in dist.")
@click.option(
    "--wait",
    "patience",
    type=click.IntRange(min=0),
    default=900,
    show_default=True,
    help="Seconds that the agents may take to come with the new image; 0 does not wait.",
)
@project_option
@output_option
@pass_session
def deploy(
    session: Session,
    part: settings.Role,
    registry: str,
    builder: str,
    platform: str,
    options: Sequence[str],
    release: str | None,
    namespace: str,
    chart: str | None,
    patience: int,
    start: Path,
) -> None:
    """Build and push an image, then roll it out.

    site: where Helm and the release are, upgrades the release and waits until the plane shows all its agents with the new
    image; else prints the command that does it. plane: prints what to do with its image.
    """
    found = settings.found(start)
    made = builders.chosen(builder, options=options)
    if made is None:
        raise CommandError(
            "a virtual environment cannot be deployed as an image"
            if builder == "venv"
            else "there is no image to deploy: no program that builds images is here",
            remedy="Install buildah, podman, docker or nerdctl. Without containers, copy the project to the machine of the agent and "
            "run `tradewind project build site --builder venv` there.",
        )
    [built] = build_parts(session, found, [part], made, platform)
    pushed = rollout.push(made, found.part(part), built, registry)
    session.output.say(f"pushed {pushed.repository}:{pushed.tag}\n\n{pushed.values}")
    if part == "plane":
        session.output.say(
            "There is no platform yet that would take it for its Deployment. Set this image where your API server and scheduler "
            f"run, and run `airflow db migrate` with it before they start:\n\n  {pushed.reference}\n"
        )
    else:
        _roll_out(session, found, pushed, release or found.name, namespace, chart, patience)
    if session.output.is_json:
        session.output.data({"image": pushed.reference, "tag": pushed.tag, "digest": pushed.digest})


def _roll_out(
    session: Session,
    found: Project,
    pushed: rollout.Pushed,
    release: str,
    namespace: str,
    chart: str | None,
    patience: int,
) -> None:
    command = pushed.helm(release, chart or rollout.chart(found), namespace)
    if not rollout.has_release(release, namespace):
        session.output.say(
            f"Helm is not here, or has no release {release}. Where it is, this rolls the image out:\n\n  {shlex.join(command)}\n"
        )
        return
    if not patience:
        rollout.upgrade(command)
        session.output.say(f"upgraded {release}; the plane was not asked for its agents (--wait 0)")
        return
    with session.connect() as client:
        before = rollout.group(client, release)
        rollout.upgrade(command)
        session.output.say(f"upgraded {release}; waiting for its agents to come with the new image")
        now = rollout.wait(client, release, before, version=found.tradewind, timeout=patience)
    names = ", ".join(sorted(one.name for one in now))
    session.output.say(f"{len(now)} agents are healthy with the new image: {names}")
