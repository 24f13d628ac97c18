"""On a machine with a shell: one virtualenv, one process."""

from __future__ import annotations

from tradewind_provider.domain.recipes import common_steps
from tradewind_provider.domain.recipes.packages import install_options, package_of_agent, packages_of_tasks
from tradewind_provider.domain.recipes.requests import Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import agent_toml
from tradewind_provider.domain.recipes.text import file, slug


def host(wanted: RecipeRequest, versions: Versions) -> Recipe:
    make_key = common_steps.site_key(
        "test -s site.key || (umask 077 && openssl rand -hex 32 > site.key)",
    )
    return Recipe(
        "host",
        "Host",
        (
            _environment(wanted, versions),
            common_steps.token_file("you", "(umask 077 && cat > agent-token)"),
            *([make_key] if wanted.needs_key else []),
            _settings(wanted),
            common_steps.doctor("venv/bin/tradewind-agent doctor --config agent.toml"),
            RecipeStep(
                "Start the agent:", "start command", "venv/bin/tradewind-agent run --config agent.toml"
            ),
        ),
    )


def _folder(wanted: RecipeRequest) -> str:
    return f"~/tradewind/{slug(wanted.name)}"


def _environment(wanted: RecipeRequest, versions: Versions) -> RecipeStep:
    here = _folder(wanted)
    packages = " ".join(
        [*install_options(wanted.packages), package_of_agent(versions), *packages_of_tasks(wanted, versions)]
    )
    return RecipeStep(
        "Make a folder for this agent, and an environment with Airflow. Also install what your Dags import into it "
        "(and pyarrow, if tasks return DataFrames).",
        "install command",
        f"mkdir -p {here} && cd {here}\npython3 -m venv --upgrade-deps venv\nvenv/bin/pip install {packages}",
    )


def _settings(wanted: RecipeRequest) -> RecipeStep:
    here = _folder(wanted)
    key = {"site_key_file": f"{here}/site.key"} if wanted.needs_key else {}
    settings = agent_toml(
        wanted, token_file=f"{here}/agent-token", state_dir=f"{here}/state", metrics_port=0, **key
    )
    return RecipeStep(
        "Write the agent's settings. Probes and metrics are off, so that several agents can run on one machine. To have them, "
        "give `metrics_port` a free port.",
        "settings file",
        file("cat > agent.toml", settings),
    )
