"""What runs the Deployments of a machine without the platform: units of systemd, and a script for each that needs none."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tradewind.embedded.processes import LocalProcess
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document

_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
_UNIT = """\
[Unit]
Description={description}
After=network-online.target

[Service]
ExecStart={command}
WorkingDirectory={directory}
EnvironmentFile={environment}
{user}Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def write(planes: Planes, documents: Iterable[Document], gateway: LocalProcess, target: Path) -> list[Path]:
    """Write units and scripts below `target`, for its owner only: they have the Deployments' environment. Returns them.

    Without a platform no one could sign in, so each Deployment gets Airflow's SimpleAuthManager there, with a user `admin` whose
    password is in `passwords.json` of its home.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = _process(target, "tradewind-gateway", "The gateway of the Deployments", gateway, {})
    for document in documents:
        plane = planes.plane(document)
        own = _own_sign_in(planes, document)
        for process in plane.prepare():
            name = f"tradewind-{document.slug}-{process.name.removesuffix('-1')}"
            made += _process(target, name, f"{document.name}: {process.name}", process, own)
        made.append(_upgrade(target, planes, document))
    return made


def _own_sign_in(planes: Planes, document: Document) -> Mapping[str, str]:
    """What makes an Airflow of a platform one of its own. A password that is there already stays."""
    passwords, files = planes.home(document) / "passwords.json", planes.files(document)
    if not files.read(passwords.name):
        files.write(passwords.name, json.dumps({"admin": secrets.token_urlsafe(12)}))
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": _SIMPLE,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__TRADEWIND__MANAGED_BY": "",
    }


def _process(
    target: Path, name: str, description: str, process: LocalProcess, more: Mapping[str, str]
) -> list[Path]:
    environment, unit, script = (target / f"{name}{ending}" for ending in (".env", ".service", ".sh"))
    directory = process.cwd or Path("/")
    command = shlex.join(map(str, process.command))
    _write(environment, "".join(f"{key}={_quoted(value)}\n" for key, value in _kept({**process.env, **more})))
    user = "" if process.user is None else f"User={process.user}\nGroup={process.user}\n"
    _write(
        unit,
        _UNIT.format(
            description=description, command=command, directory=directory, environment=environment, user=user
        ),
    )
    drop = (
        ""
        if process.user is None
        else f"setpriv --reuid {process.user} --regid {process.user} --clear-groups "
    )
    _write(
        script,
        f"#!/bin/sh\n# {description}, in the foreground.\nset -a\n. {shlex.quote(str(environment))}\nset +a\n"
        f"cd {shlex.quote(str(directory))}\nexec {drop}{command}\n",
        mode=0o700,
    )
    return [environment, unit, script]


def _upgrade(target: Path, planes: Planes, document: Document) -> Path:
    """The migration of a Deployment, to be run with its processes stopped."""
    script = target / f"tradewind-{document.slug}-migrate.sh"
    name = f"tradewind-{document.slug}-scheduler"
    _write(
        script,
        "#!/bin/sh\n# Stop the Deployment's units and back up its database first. PYTHON: that of the new version.\nset -a\n"
        f". {shlex.quote(str(target / (name + '.env')))}\nset +a\ncd {shlex.quote(str(planes.home(document)))}\n"
        f"exec ${{PYTHON:-{shlex.quote(str(planes.python(document)))}}} -m airflow db migrate\n",
        mode=0o700,
    )
    return script


def _kept(env: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Of this process's environment what a service needs."""
    wanted = ("AIRFLOW", "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_", "TZ", "SSL_", "HTTP", "NO_PROXY")
    inherited = set(os.environ)
    return [
        (key, value)
        for key, value in sorted(env.items())
        if key not in inherited or key.upper().startswith(wanted)
    ]


def _quoted(value: str) -> str:
    """For systemd's EnvironmentFile and for a shell alike."""
    return shlex.quote(value)


def _write(file: Path, text: str, *, mode: int = 0o600) -> None:
    part = file.with_name(f"{file.name}.part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, mode)) as opened:
        opened.write(text)
    part.chmod(mode)
    part.replace(file)
