"""On a machine with a shell: one virtualenv, one process."""

from __future__ import annotations

from tradewind_provider.domain.recipes.requests import Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import agent_toml
from tradewind_provider.domain.recipes.text import (
    ABOUT_KEY,
    file,
    install_options,
    package_of_agent,
    packages_of_tasks,
    slug,
)


def host(wanted: RecipeRequest, versions: Versions) -> Recipe:
    here = f"~/tradewind/{slug(wanted.name)}"
    packages = " ".join(
        [*install_options(wanted.packages), package_of_agent(versions), *packages_of_tasks(wanted, versions)]
    )
    key = {"site_key_file": f"{here}/site.key"} if wanted.needs_key else {}
    settings = agent_toml(
        wanted, token_file=f"{here}/agent-token", state_dir=f"{here}/state", metrics_port=0, **key
    )
    make_key = RecipeStep(
        ABOUT_KEY, "site key command", "test -s site.key || (umask 077 && openssl rand -hex 32 > site.key)"
    )
    return Recipe(
        "host",
        "Host",
        (
            RecipeStep(
                "Make a folder for this agent, and an environment with Airflow. Also install what your Dags import into it "
                "(and pyarrow, if tasks return DataFrames).",
                "install command",
                f"mkdir -p {here} && cd {here}\npython3 -m venv --upgrade-deps venv\nvenv/bin/pip install {packages}",
            ),
            RecipeStep(
                "Write the token to a file that only you can read. Paste it, press Enter, then Ctrl-D.",
                "token file command",
                "(umask 077 && cat > agent-token)",
            ),
            *([make_key] if wanted.needs_key else []),
            RecipeStep(
                "Write the agent's settings. Probes and metrics are off, so that several agents can run on one machine. To have them, "
                "give `metrics_port` a free port.",
                "settings file",
                file("cat > agent.toml", settings),
            ),
            RecipeStep(
                "Check the setup before the first start. The doctor says what is missing, and what to do.",
                "doctor command",
                "venv/bin/tradewind-agent doctor --config agent.toml",
            ),
            RecipeStep(
                "Start the agent:", "start command", "venv/bin/tradewind-agent run --config agent.toml"
            ),
        ),
    )
