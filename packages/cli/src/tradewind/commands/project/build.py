"""`tradewind project build`: make images or virtual environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from tradewind.commands.options import output_option
from tradewind.commands.project.options import builder_options, progress, project_option, show_findings
from tradewind.commands.session import Session, pass_session
from tradewind.embedded.environments import locked
from tradewind.errors import BadUsage
from tradewind.project import builders, plane_archive, rollout, settings
from tradewind.project.building import Building, Built, CheckFailed
from tradewind.project.settings import Project

_NO_BUILDER: Final = (
    "no program that builds images is here: making virtual environments (--builder names one)"
)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(settings.ROLES))
@builder_options
@click.option(
    "--push", "registry", help="Push the images to this registry, such as registry.example.com/team."
)
@project_option
@output_option
@pass_session
def build(
    session: Session,
    parts: Sequence[settings.Role],
    builder: str,
    platform: str,
    options: Sequence[str],
    registry: str | None,
    start: Path,
) -> None:
    """Build images, or virtual environments.

    Of the plane, the site, or both; virtual environments where there are no containers. The tag of an image is a hash of its contents. What is built already is not built again. Before a site counts as built,
    its Dags are parsed inside it, and its Airflow is compared with the plane's. The digest of a plane's environment is what a platform's Deployments know it by.
    """
    found = settings.found(start)
    made = _builder(session, builder, options)
    if registry and made is None:
        raise BadUsage(
            "a virtual environment cannot be pushed", remedy="Name a builder of images: --builder buildah."
        )
    lines = []
    for built in build_parts(session, found, parts or settings.ROLES, made, platform):
        line = asdict(built)
        if built.role == "plane" and made is None:
            digest = plane_archive.of(found).digest
            line["digest"] = digest
            session.output.say(f"       {digest}")
        if registry and made is not None:
            pushed = rollout.push(made, found.part(built.role), built, registry)
            line |= {"pushed": pushed.reference}
            session.output.say(f"pushed {pushed.repository}:{pushed.tag}\n       {pushed.reference}")
        lines.append(line)
    if session.output.is_json:
        session.output.data({"built": lines})


def build_parts(
    session: Session,
    found: Project,
    parts: Sequence[settings.Role],
    builder: builders.Builder | None,
    platform: str,
) -> list[Built]:
    """Build parts one after the other. Raises CheckFailed after its findings were shown."""
    made = []
    with locked(found.kept):
        building = Building(found, builder, platform=platform, say=progress(session))
        for role in (
            one for one in settings.ROLES if one in parts
        ):  # the plane first: the site is checked against it
            try:
                built = building.build(found.part(role))
            except CheckFailed as failure:
                if session.output.is_json:
                    session.output.data(asdict(failure.report) | {"passed": False})
                else:
                    show_findings(failure.report.findings)
                raise
            made.append(built)
            if not session.output.is_json:
                show_findings(built.findings)
            done = "built" if built.is_new else "nothing changed:"
            dags = f", {len(built.dags)} Dags parse in it" if role == "site" else ""
            session.output.say(f"{role}: {done} {built.name} (Airflow {built.airflow}{dags})")
    return made


def _builder(session: Session, name: str, options: Sequence[str]) -> builders.Builder | None:
    made = builders.chosen(name, options=options)
    if made is None and name == "auto":
        session.output.say(_NO_BUILDER)
    return made
