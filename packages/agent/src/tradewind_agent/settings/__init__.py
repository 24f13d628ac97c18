"""What a site can set. Settings are read once, at the start, into frozen objects; no other module reads them anew."""

from tradewind_agent.settings.loading import load, setting_of, state_dir_of
from tradewind_agent.settings.schema import PREFIX, EnvironmentSettings, SealSettings, Settings

__all__ = ["PREFIX", "EnvironmentSettings", "SealSettings", "Settings", "load", "setting_of", "state_dir_of"]
