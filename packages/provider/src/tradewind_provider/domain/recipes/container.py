"""In a container of Docker or Podman. Root starts the agent, which becomes a user; its tasks are another one
(docs/how-to/separate-users.md)."""

from __future__ import annotations

from typing import Final

from tradewind_provider.domain.recipes import common_steps
from tradewind_provider.domain.recipes.packages import install_options, package_of_agent, packages_of_tasks
from tradewind_provider.domain.recipes.requests import FOLDER, Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import agent_toml
from tradewind_provider.domain.recipes.text import file, quoted, slug

USER: Final = 50000
TASKS: Final = USER + 1
STATE: Final = "/var/lib/tradewind"
CONTEXT: Final = "/opt/tradewind/dist"  # where the image has the folder with the packages


def container(wanted: RecipeRequest, versions: Versions) -> Recipe:
    copy = RecipeStep(
        "Copy the packages into the folder from which the image is built.",
        "copy command",
        f"mkdir -p dist && cp -R {quoted(wanted.packages)}/. dist/",
    )
    make_key = common_steps.site_key(
        f"test -s site.key || openssl rand -hex 32 | sudo install -o {USER} -g {USER} -m 400 /dev/stdin site.key"
    )
    return Recipe(
        "container",
        "Container",
        (
            *([copy] if wanted.packages else []),
            RecipeStep(
                "Write the Dockerfile of an image with the agent, Airflow and your packages. Add what your Dags import.",
                "Dockerfile",
                file("cat > Dockerfile", dockerfile(wanted, versions)),
            ),
            RecipeStep("Build the image:", "build command", f"docker build --tag {quoted(wanted.image)} ."),
            common_steps.token_file(
                f"the container's user ({USER})",
                f"sudo install -o {USER} -g {USER} -m 400 /dev/stdin agent-token",
            ),
            *([make_key] if wanted.storage else []),
            _settings(wanted),
            _start(wanted),
        ),
    )


def dockerfile(wanted: RecipeRequest, versions: Versions) -> str:
    options = install_options(CONTEXT if wanted.packages else "")
    packages = " ".join([*options, package_of_agent(versions), *packages_of_tasks(wanted, versions)])
    copied = f"COPY dist {CONTEXT}\n" if wanted.packages else ""
    return f"""FROM python:{versions.python}-slim
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends git openssh-client tini \\
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid {USER} --gid 0 --create-home tradewind \\
 && useradd --uid {TASKS} --user-group --create-home tradewind-tasks \\
 && install -d -o {USER} -g 0 -m 770 {STATE}
{copied}RUN pip install --no-cache-dir {packages}
ENV TRADEWIND_AGENT_USER=tradewind
USER {USER}:0
ENTRYPOINT ["tini", "--"]
CMD ["tradewind-agent", "run"]"""


def _settings(wanted: RecipeRequest) -> RecipeStep:
    key = {"site_key_file": "/run/secrets/site.key"} if wanted.storage else {}
    settings = agent_toml(wanted, token_file="/run/secrets/agent-token", state_dir=STATE, **key)
    return RecipeStep(
        "Write the agent's settings:",
        "settings file",
        file("install -m 644 /dev/stdin agent.toml", settings),
    )


def _start(wanted: RecipeRequest) -> RecipeStep:
    name = slug(wanted.name)
    explained = f"Start the agent. To read its log: docker logs --follow {name}"
    mounts = [
        '"$PWD/agent.toml:/etc/tradewind/agent.toml:ro"',
        '"$PWD/agent-token:/run/secrets/agent-token:ro"',
        f"{name}-state:{STATE}",
    ]
    if wanted.storage:
        mounts.append('"$PWD/site.key:/run/secrets/site.key:ro"')
    if wanted.bundle.kind == FOLDER:
        explained += f"; user {TASKS} must be able to read {wanted.bundle.folder}"
        mounts.append(quoted(f"{wanted.bundle.folder}:{wanted.bundle.folder}:ro"))
    if wanted.shared_folder:
        explained += f"; user {TASKS} must be able to write to {wanted.shared_folder}"
        mounts.append(quoted(f"{wanted.shared_folder}:{wanted.shared_folder}"))
    lines = [
        f"docker run --detach --name {name} --restart on-failure --stop-timeout 660",
        "--user 0 --cap-drop ALL --cap-add CHOWN --cap-add KILL --cap-add SETGID --cap-add SETUID",
        "--security-opt no-new-privileges",
        *(f"--volume {one}" for one in mounts),
        f"{quoted(wanted.image)} tradewind-agent run --config /etc/tradewind/agent.toml",
    ]
    return RecipeStep(explained, "start command", " \\\n  ".join(lines))
