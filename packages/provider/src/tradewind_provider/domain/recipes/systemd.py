"""As a service of systemd. The agent and the tasks have an environment each, and a user each: a task reads nothing of
the agent's (docs/how-to/separate-users.md)."""

from __future__ import annotations

from typing import Final

from tradewind_provider.domain.recipes import common_steps
from tradewind_provider.domain.recipes.packages import install_options, package_of_agent, packages_of_tasks
from tradewind_provider.domain.recipes.requests import FOLDER, Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import agent_toml
from tradewind_provider.domain.recipes.text import file, quoted

AGENT: Final = "tradewind"
TASKS: Final = "tradewind-tasks"


def systemd(wanted: RecipeRequest, versions: Versions) -> Recipe:
    make_key = common_steps.site_key(
        "sudo test -s /etc/tradewind/site.key || openssl rand -hex 32 | "
        "sudo install -o tradewind -g tradewind -m 400 /dev/stdin /etc/tradewind/site.key"
    )
    return Recipe(
        "systemd",
        "systemd",
        (
            _users_and_folders(wanted),
            _environments(wanted, versions),
            common_steps.token_file(
                "the agent's user",
                "sudo install -o tradewind -g tradewind -m 400 /dev/stdin /etc/tradewind/token",
            ),
            *([make_key] if wanted.storage else []),
            _settings(wanted),
            RecipeStep(
                "Write the service:",
                "systemd unit",
                file("sudo tee /etc/systemd/system/tradewind-agent.service >/dev/null", unit(wanted)),
            ),
            common_steps.doctor(
                "sudo -u tradewind /opt/tradewind/bin/tradewind-agent doctor --config /etc/tradewind/agent.toml"
            ),
            RecipeStep(
                "Start the agent. To read its log: journalctl --unit tradewind-agent --follow",
                "start command",
                "sudo systemctl daemon-reload\nsudo systemctl enable --now tradewind-agent",
            ),
        ),
    )


def unit(wanted: RecipeRequest) -> str:
    """The unit file of the agent's service."""
    return f"""[Unit]
Description=Tradewind agent {wanted.name}
Wants=network-online.target
After=network-online.target

[Service]
User={AGENT}
# To run tasks as the user {TASKS}. The agent hands these down to no process.
AmbientCapabilities=CAP_CHOWN CAP_KILL CAP_SETGID CAP_SETUID
StateDirectory=tradewind
StateDirectoryMode=0711
ExecStart=/opt/tradewind/bin/tradewind-agent run --config /etc/tradewind/agent.toml
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=3 78
# SIGTERM drains; give it longer than the setting `grace` (600 s)
KillMode=mixed
TimeoutStopSec=660

[Install]
WantedBy=multi-user.target"""


def _users_and_folders(wanted: RecipeRequest) -> RecipeStep:
    shared = wanted.shared_folder
    commands = [
        _make_user(TASKS, f"/var/lib/{TASKS}", "--create-home "),
        _make_user(AGENT, "/var/lib/tradewind"),
        f"sudo usermod --append --groups {TASKS} {AGENT}",
        "sudo install -d -o root -g tradewind -m 750 /etc/tradewind",
        "sudo install -d -o tradewind -g tradewind -m 711 /var/lib/tradewind",
    ]
    if shared:
        commands.append(f"sudo install -d -o {TASKS} -g {TASKS} -m 2770 {quoted(shared)}")
    return RecipeStep(
        "Create a user for the agent and one for tasks, who cannot read what is the agent's, and their folders.",
        "user command",
        "\n".join(commands),
    )


def _make_user(name: str, home: str, more: str = "") -> str:
    return (
        f"id -u {name} >/dev/null 2>&1 || sudo useradd --system --user-group {more}"
        f"--home-dir {home} --shell /usr/sbin/nologin {name}"
    )


def _environments(wanted: RecipeRequest, versions: Versions) -> RecipeStep:
    options = install_options(wanted.packages)
    of_agent = " ".join([*options, package_of_agent(versions)])
    of_tasks = " ".join([*options, *packages_of_tasks(wanted, versions)])
    return RecipeStep(
        "Make an environment for the agent and one for the tasks. Install what your Dags import into the second.",
        "install command",
        "sudo python3 -m venv --upgrade-deps /opt/tradewind\n"
        f"sudo /opt/tradewind/bin/pip install {of_agent}\n"
        "sudo python3 -m venv --upgrade-deps /opt/airflow\n"
        f"sudo /opt/airflow/bin/pip install {of_tasks}",
    )


def _settings(wanted: RecipeRequest) -> RecipeStep:
    settings = agent_toml(
        wanted,
        token_file="/etc/tradewind/token",
        state_dir="/var/lib/tradewind",
        interpreter="/opt/airflow/bin/python",
        run_as=TASKS,
        **({"site_key_file": "/etc/tradewind/site.key"} if wanted.storage else {}),
    )
    explained = "Write the agent's settings."
    if wanted.bundle.kind == FOLDER:
        explained += f" The user {TASKS} must be able to read {wanted.bundle.folder}."
    return RecipeStep(
        explained,
        "settings file",
        file("sudo install -o root -g tradewind -m 640 /dev/stdin /etc/tradewind/agent.toml", settings),
    )
