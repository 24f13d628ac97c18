"""What a local plane writes before it starts."""

from __future__ import annotations

import configparser
import stat
import sys
from pathlib import Path

from tradewind.embedded.plane import Plane, PlaneSettings

SECRETS = (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret"))


def configured(home: Path, port: int) -> tuple[Plane, configparser.ConfigParser]:
    plane = Plane(PlaneSettings(home=home, interpreter=Path(sys.executable), port=port))
    plane.configure()
    config = configparser.ConfigParser(interpolation=None)
    config.read(home / "airflow.cfg")
    return plane, config


def test_a_home_that_was_configured_before_keeps_its_keys_and_passwords(tmp_path: Path) -> None:
    first, before = configured(tmp_path / "home", 18080)
    second, after = configured(tmp_path / "home", 18081)
    assert second.passwords == first.passwords
    assert all(before.get(*one) == after.get(*one) for one in SECRETS)
    assert after.get("api", "base_url") == "http://127.0.0.1:18081"
    other, others = configured(tmp_path / "other", 18080)
    assert other.passwords != first.passwords
    assert not any(others.get(*one) == before.get(*one) for one in SECRETS)


def test_secrets_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    configured(tmp_path, 18080)
    for name in ("airflow.cfg", "passwords.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
