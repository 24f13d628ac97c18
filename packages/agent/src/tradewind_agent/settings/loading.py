"""Reading the settings, once, at the start: flags, then the environment, then a TOML file, then the defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.settings.schema import PREFIX, Settings, default_state_dir


def load(flags: dict[str, Any], *, config: Path | None = None) -> Settings:
    """The settings from all their sources. Raises SettingsWrong, which names each setting that is wrong."""
    if config is not None:
        try:
            with config.open("rb"):
                pass
        except FileNotFoundError:
            raise SettingsWrong(f"the settings file {config} does not exist") from None
        except OSError as error:
            raise SettingsWrong(
                f"the settings file {config} cannot be read: {error.strerror or error}",
                remedy="Let the agent's user read it and enter the folders above it",
            ) from None

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            if config is None:
                return (init_settings, env_settings)
            return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config))

    try:
        return Loaded(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsWrong("; ".join(_sentence(each) for each in error.errors(include_url=False))) from None
    except (SettingsError, ValueError) as error:  # a variable that is not JSON, a file that is not TOML
        raise SettingsWrong(str(error)) from None


def _sentence(error: Any) -> str:
    """One thing that is wrong, without the value: it may be a secret."""
    where = ".".join(str(part) for part in error["loc"])
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{where} is not set (flag --{where.replace('_', '-')}, variable {PREFIX}{where.upper()}, or the file)"
    if error["type"] == "extra_forbidden":
        return f"there is no setting named {where}"
    return f"{where}: {what}" if where else what


def state_dir_of(config: Path | None) -> Path:
    """Where an agent with these settings keeps its state; needs no token and checks nothing else."""
    named = setting_of("state_dir", config)
    return Path(named).expanduser().absolute() if named else default_state_dir()


def setting_of(name: str, config: Path | None) -> str:
    """One setting as its variable or the file has it, or empty. Raises SettingsWrong when the file cannot be read."""
    named = os.environ.get(f"{PREFIX}{name.upper()}", "")
    if not named and config is not None:
        try:
            named = TomlConfigSettingsSource(Settings, toml_file=config)().get(name) or ""
        except (OSError, ValueError) as error:
            raise SettingsWrong(f"the settings file {config} cannot be read: {error}") from None
    return str(named)
