"""`tradewind project deploy`: hand the site's image to its agents, and the plane's code to a Deployment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import gathered, output_option, reason_option
from tradewind.commands.project.build import build_parts
from tradewind.commands.project.options import builder_options, progress, project_option
from tradewind.commands.session import Session, pass_session
from tradewind.embedded.environments import locked
from tradewind.errors import BadUsage, CommandError
from tradewind.project import builders, git_facts, rollout, settings, to_deployment
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind_protocol.deploys import NewDeploy


@dataclass(frozen=True)
class ImageOptions:
    """How an image is built, and where it is pushed."""

    registry: str | None
    builder: str
    platform: str
    options: Sequence[str]


@dataclass(frozen=True)
class RolloutOptions:
    """How an image reaches the agents of a site."""

    release: str | None
    namespace: str
    chart: str | None
    patience: int  # seconds that the agents may take; 0: they are not waited for


@click.command()
@click.argument("part", type=click.Choice(settings.ROLES), required=False)
@click.option("--deployment", help="The Deployment of a platform that gets the plane's code.")
@click.option("--description", default="", help="What is new, for the Deployment's history.")
@click.option(
    "--upgrade",
    is_flag=True,
    help="The plane's Airflow may be a newer one: a backup is made, and the database migrated.",
)
@click.option("--now", is_flag=True, help="Upgrade also outside the Deployment's maintenance windows.")
@click.option("--registry", help="Your registry, such as registry.example.com/team: deploy an image.")
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
    help="Seconds that the agents may take to come with the new image. 0 waits for neither agents nor a Deployment.",
)
@project_option
@reason_option
@output_option
@gathered(ImageOptions, "image")
@gathered(RolloutOptions, "agents")
@pass_session
def deploy(
    session: Session,
    part: settings.Role | None,
    deployment: str | None,
    description: str,
    upgrade: bool,
    now: bool,
    image: ImageOptions,
    agents: RolloutOptions,
    start: Path,
    reason: str,
) -> None:
    """Deploy the plane's code to a Deployment, or roll a site's image out.

    plane, with --deployment: sends plugins, timetables and the lock; the platform installs them for the Deployment and restarts it,
    the API server first. What does not come up is undone. For a Deployment in Kubernetes, --registry pushes an image, and the
    platform gets its digest.

    site: pushes an image. Where Helm and the release are, upgrades the release and waits until the plane shows all its agents
    with the new image; else prints the command that does it.
    """
    found = settings.found(start)
    deployment = deployment or session.deployment
    part = part or ("plane" if deployment else None)
    if part is None:
        raise BadUsage("name a part: plane or site", remedy="`--deployment NAME` alone deploys the plane.")
    if part == "plane" and deployment:
        ask = operation_commands.valid(
            NewDeploy, description=description, git=git_facts.of(found.root), upgrade=upgrade, now=now
        )
        if image.registry:
            pushed, airflow = _image(session, found, part, image)
            to_deployment.require_site(found, airflow)
            ask = ask.model_copy(update={"image": pushed.reference, "airflow": airflow})
        _to_deployment(session, found, deployment, ask, wait=agents.patience > 0, reason=reason)
        return
    pushed, _ = _image(session, found, part, image)
    session.output.say(f"pushed {pushed.repository}:{pushed.tag}\n\n{pushed.values}")
    if part == "plane":
        session.output.say(
            "A Deployment of a platform gets it by --deployment NAME. Elsewhere set this image where your API server and scheduler "
            f"run, and run `airflow db migrate` with it before they start:\n\n  {pushed.reference}\n"
        )
    else:
        _roll_out(session, found, pushed, agents)
    if session.output.is_json:
        session.output.data({"image": pushed.reference, "tag": pushed.tag, "digest": pushed.digest})


def _image(
    session: Session, found: Project, part: settings.Role, asked: ImageOptions
) -> tuple[rollout.Pushed, str]:
    """The image, built and pushed, with its version of Airflow."""
    if not asked.registry:
        raise BadUsage("an image needs a registry", remedy="Name it: --registry registry.example.com/team.")
    made = builders.chosen(asked.builder, options=asked.options)
    if made is None:
        raise CommandError(
            "a virtual environment cannot be deployed as an image"
            if asked.builder == "venv"
            else "there is no image to deploy: no program that builds images is here",
            remedy="Install buildah, podman, docker or nerdctl. Without containers, copy the project to the machine of the agent and "
            "run `tradewind project build site --builder venv` there.",
        )
    [built] = build_parts(session, found, [part], made, asked.platform)
    return rollout.push(made, found.part(part), built, asked.registry), built.airflow


def _to_deployment(
    session: Session, found: Project, deployment: str, ask: NewDeploy, *, wait: bool, reason: str
) -> None:
    archive = None
    if ask.image is None:
        with locked(found.kept):
            archive = to_deployment.prepared(found, Packages(found, say=progress(session)))
        ask = ask.model_copy(update={"digest": archive.digest})
        if packages := to_deployment.debian_packages(found):
            session.output.say(
                f"plane/packages.txt is for images: see that the platform's machine has {', '.join(packages)}"
            )
    code = ask.digest or ask.image or ""
    with session.platform() as client:
        now = to_deployment.current(client, deployment)
        if now is not None and code in (now.digest, now.image):
            session.output.say(f"{deployment}: nothing changed: {code}")
            if session.output.is_json:
                session.output.data(now)
            return
        if archive is not None:
            to_deployment.send(client, deployment, archive, reason=reason)
        begun = client.deploy(deployment, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"{begun.deployment_name}: {'deployed' if wait else 'deploying'} {code}")


def _roll_out(session: Session, found: Project, pushed: rollout.Pushed, asked: RolloutOptions) -> None:
    """Upgrade the release with the image and wait for its agents, or print the command that upgrades it."""
    release = asked.release or found.name
    command = pushed.helm(release, asked.chart or rollout.chart(found), asked.namespace)
    if not rollout.has_release(release, asked.namespace):
        session.output.say(
            f"Helm is not here, or has no release {release}. Where it is, this rolls the image out:\n\n  {shlex.join(command)}\n"
        )
        return
    if not asked.patience:
        rollout.upgrade(command)
        session.output.say(f"upgraded {release}; the plane was not asked for its agents (--wait 0)")
        return
    with session.connect() as client:
        before = rollout.group(client, release)
        rollout.upgrade(command)
        session.output.say(f"upgraded {release}; waiting for its agents to come with the new image")
        now = rollout.wait(client, release, before, version=found.tradewind, timeout=asked.patience)
    names = ", ".join(sorted(one.name for one in now))
    session.output.say(f"{len(now)} agents are healthy with the new image: {names}")
