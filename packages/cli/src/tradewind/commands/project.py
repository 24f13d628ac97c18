"""`tradewind project`: write a project, check it, build it, run it here, hand it on."""

from __future__ import annotations

import fcntl
import re
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console

from tradewind.commands.session import Session, output_option, pass_session
from tradewind.embedded.environments import locked
from tradewind.errors import BadUsage, CommandError
from tradewind.output import printable
from tradewind.project import builders, checks, development, rollout, scaffold, settings
from tradewind.project.building import Building, Built, CheckFailed
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind.stage import stage as stages
from tradewind.stage.interruption import Interrupted
from tradewind.stage.show import Show

Function = TypeVar("Function", bound=Callable[..., Any])

_NO_BUILDER: Final = (
    "no program that builds images is here: making virtual environments (--builder names one)"
)


@click.group()
def project() -> None:
    """A project: the plane's and the site's packages, Dags, settings and images.

    init writes one, dev runs it here, check parses its Dags, build makes images or environments, deploy hands them on.
    """


def _project_option(function: Function) -> Function:
    return click.option(
        "--project",
        "start",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        default=".",
        help="The project's folder. Default: the one this command is run in, or below.",
    )(function)


def _builder_options(function: Function) -> Function:
    function = click.option(
        "--builder-option",
        "options",
        multiple=True,
        help="An option of a build for the builder, such as --network=host. May be repeated.",
    )(function)
    function = click.option("--platform", default="", help="Build for this platform, such as linux/arm64.")(
        function
    )
    return click.option(
        "--builder",
        type=click.Choice(["auto", *builders.NAMES, "venv"]),
        default="auto",
        show_default=True,
        help="What builds. auto: the first of them that works here, else virtual environments.",
    )(function)


# ---- init


@project.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="The project's name, which images get. Default: the folder's.")
@click.option("--python", help="Minor version of Python. Default: that of this command.", metavar="3.N")
@click.option(
    "--dist",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder that `make dist` built, where your package index has no Tradewind. Default: ./dist, when it is one.",
)
def init(folder: Path, name: str | None, python: str | None, dist: Path | None) -> None:
    """Write a new project into FOLDER, which is missing or empty."""
    if dist is not None and not scaffold.is_dist(dist):
        raise BadUsage(f"{dist} was not built by `make dist`", remedy="Run it in a checkout of Tradewind.")
    dist = dist or scaffold.beside(Path.cwd())
    name = name or re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "project"
    python = python or "{}.{}".format(*sys.version_info[:2])
    written = scaffold.write(
        folder.resolve(), name=name, python=python, version=version("tradewind"), dist=dist
    )
    click.echo(f"wrote {len(written)} files into {folder}")
    if dist is None:
        click.echo(
            "Tradewind comes from your package index. Where there is none with it: set dist in tradewind.toml."
        )
    click.echo(f"\n  cd {folder}\n  tradewind project dev\n")


# ---- check


@project.command()
@_project_option
@output_option
@pass_session
def check(session: Session, start: Path) -> None:
    """Parse the Dags under the site's data policy.

    In virtual environments of the site's and the plane's locks, which are made first. Exit code 1 when something is wrong.
    """
    found = settings.found(start)
    say = _say(session)
    with _working(found):
        building = Building(found, None, say=say)
        interpreter = Packages(found, say=say).environment(found.site)
        report = building.report(str(interpreter))
    if session.output.is_json:
        session.output.data(asdict(report) | {"passed": report.passed})
    else:
        _show(report.findings)
        if report.passed:
            click.echo(f"{len(report.dags)} Dags parse: {', '.join(report.dags)} (Airflow {report.airflow})")
    if not report.passed:
        raise CheckFailed(report)


# ---- build


@project.command()
@click.argument("parts", nargs=-1, type=click.Choice(settings.ROLES))
@_builder_options
@click.option(
    "--push", "registry", help="Push the images to this registry, such as registry.example.com/team."
)
@_project_option
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
    its Dags are parsed inside it, and its Airflow is compared with the plane's.
    """
    found = settings.found(start)
    made = _builder(session, builder, options)
    if registry and made is None:
        raise BadUsage(
            "a virtual environment cannot be pushed", remedy="Name a builder of images: --builder buildah."
        )
    told = []
    for built in _build(session, found, parts or settings.ROLES, made, platform):
        line = asdict(built)
        if registry and made is not None:
            pushed = rollout.push(made, found.part(built.role), built, registry)
            line |= {"pushed": pushed.reference}
            session.output.say(f"pushed {pushed.repository}:{pushed.tag}\n       {pushed.reference}")
        told.append(line)
    if session.output.is_json:
        session.output.data({"built": told})


def _build(
    session: Session,
    found: Project,
    parts: Sequence[settings.Role],
    builder: builders.Builder | None,
    platform: str,
) -> list[Built]:
    """Build parts one after the other. Raises CheckFailed after its findings were shown."""
    made = []
    with _working(found):
        building = Building(found, builder, platform=platform, say=_say(session))
        for role in (
            one for one in settings.ROLES if one in parts
        ):  # the plane first: the site is checked against it
            try:
                built = building.build(found.part(role))
            except CheckFailed as failure:
                if session.output.is_json:
                    session.output.data(asdict(failure.report) | {"passed": False})
                else:
                    _show(failure.report.findings)
                raise
            made.append(built)
            if not session.output.is_json:
                _show(built.findings)
            done = "built" if built.is_new else "nothing changed:"
            dags = f", {len(built.dags)} Dags parse in it" if role == "site" else ""
            session.output.say(f"{role}: {done} {built.name} (Airflow {built.airflow}{dags})")
    return made


# ---- dev


@project.command()
@click.option(
    "--once", is_flag=True, help="Check the Dags, run each once, then exit: 0 when all succeeded, else 1."
)
@click.option("--dag", "dags", multiple=True, help="With --once: run only this Dag. May be repeated.")
@click.option("--fresh", is_flag=True, help="Forget runs, variables and connections of earlier starts.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of the web UI; 0 takes a free one.",
)
@click.option(
    "--timeout",
    type=click.IntRange(min=10),
    default=300,
    show_default=True,
    help="Seconds that the runs of --once may take.",
)
@_project_option
def dev(once: bool, dags: Sequence[str], fresh: bool, port: int, timeout: int, start: Path) -> None:
    """Run the project on this machine.

    A plane has the project's plugins, an agent its Dags, settings and packages. A Dag that changes is read again within seconds. Runs are kept for the next start. Ctrl-C ends every process.
    """
    found = settings.found(start)
    if dags and not once:
        raise BadUsage("--dag is for --once")
    show = Show(Console(highlight=False, emoji=False), started=time.monotonic())
    place = found.kept / "dev"
    with _only_one(found.kept / "dev.lock"), Interrupted() as interrupted:
        _check_port(port)
        if fresh:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        try:
            with _working(found), show.doing("installing what is not there yet of the three environments"):
                stage = development.stage(found, place, show, port=port)
                dags = dags or (_every_dag(found, show) if once else ())
            interrupted.kill_all = stage.kill
            with stage:
                if once:
                    stages.run(stage, show, timeout=timeout, triggered=dags)
                else:
                    _stay_up(found, stage, show)
        except KeyboardInterrupt:
            show.say("stopped; no process is left")
            if once:
                raise CommandError("interrupted before every run had ended") from None
        except stages.StageFailed as failure:
            for name, text in failure.logs:
                click.echo(f"\n--- {name}\n{printable(text)}", err=True)
            raise CommandError(str(failure), remedy=f"The logs are in {place}.") from failure


def _every_dag(found: Project, show: Show) -> Sequence[str]:
    """The Dags of the project. Raises CheckFailed, after its findings were shown, when a file is wrong."""
    interpreter = Packages(found, say=show.say).environment(found.site)
    report = Building(found, None, say=show.say).report(str(interpreter))
    _show(report.findings)
    if not report.passed:
        raise CheckFailed(report)
    return report.dags


def _stay_up(found: Project, stage: stages.Stage, show: Show) -> None:
    with stage.plane.client() as http:
        changes = development.Changes(found, http, show.say)
        show.say(f"open {stage.plane.url} and sign in as admin with {stage.plane.passwords['admin']}")
        show.say("change files in site/dags and see them arrive; Ctrl-C ends it")
        stages.watch_over(stage, changes.look)


# ---- deploy


@project.command()
@click.argument("part", type=click.Choice(settings.ROLES))
@click.option("--registry", required=True, help="Your registry, such as registry.example.com/team.")
@_builder_options
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
@_project_option
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
    [built] = _build(session, found, [part], made, platform)
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


# ---- shared


def _builder(session: Session, name: str, options: Sequence[str]) -> builders.Builder | None:
    made = builders.chosen(name, options=options)
    if made is None and name == "auto":
        session.output.say(_NO_BUILDER)
    return made


def _say(session: Session) -> Callable[[str], None]:
    """Progress goes to standard error, so that what a program reads is on standard output alone."""
    return lambda sentence: click.echo(f"{sentence}…", err=True)


def _working(found: Project) -> AbstractContextManager[None]:
    """One command at a time builds in a project."""
    return locked(found.kept)


@contextmanager
def _only_one(file: Path) -> Iterator[None]:
    """Raises BadUsage when another process is inside."""
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadUsage("`tradewind project dev` runs in this project already") from None
        yield


def _check_port(port: int) -> None:
    """Raises BadUsage when something listens there. Airflow would say so a minute later, in a log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise BadUsage(
                f"port {port} cannot be used: {problem.strerror}",
                remedy="Name another with --port; 0 takes a free one.",
            ) from problem


def _show(findings: Sequence[checks.Finding]) -> None:
    for one in findings:
        click.echo(f"{one.where}: {one.level}: {printable(one.cause)}")
        if one.remedy:
            remedy = printable(one.remedy).rstrip(".")
            click.echo(f"    {remedy[0].upper()}{remedy[1:]}{'' if remedy.endswith('?') else '.'}")
