"""What the plane reads from Airflow's configuration, as functions of its options."""

from __future__ import annotations

import pytest

from tradewind_protocol.sessions import Policy
from tradewind_provider import settings
from tradewind_provider.options import OPTIONS


def options(**changed: str) -> dict[str, str]:
    return {name: str(option["default"]) for name, option in OPTIONS.items()} | changed


def test_the_defaults_are_what_the_protocol_promises() -> None:
    read = settings.parse(options(), instance_name="Production")
    assert (read.deployment, read.cadence.poll, read.cadence.lost_after) == ("Production", 25.0, 75.0)
    assert read.cadence == type(read.cadence)()


def test_an_agent_that_waits_between_two_tries_asks_again_before_it_is_given_up() -> None:
    for poll, beats in [("25", "3"), ("2", "3"), ("1", "1.5")]:
        cadence = settings.parse(options(poll_seconds=poll, missed_beats=beats)).cadence
        assert cadence.retry_most * 2 < cadence.lost_after


def test_the_policy_is_read_per_site() -> None:
    assert settings.parse(options()).policies == settings.Policies(), "strict for everybody"
    read = settings.parse(options(policy="strict, lab=open")).policies
    assert (read.of("lab"), read.of("default")) == (Policy.OPEN, Policy.STRICT)
    assert settings.parse(options(policy="open")).policies.of("anybody") is Policy.OPEN
    with pytest.raises(settings.SettingsError, match="policy: 'lab=half'"):
        settings.parse(options(policy="strict, lab=half"))


def test_the_address_for_agents_has_a_path_and_no_slash_at_its_end() -> None:
    assert settings.parse(options()).agent_url == ""
    read = settings.parse(options(agent_url=" https://k3.external.example.com/d4f2/ "))
    assert read.agent_url == "https://k3.external.example.com/d4f2"


@pytest.mark.parametrize(
    "text",
    [
        "k3.example.com",
        "ftp://k3.example.com",
        "https://a:secret@k3.example.com",
        "https://k3:x",
        "https://k3/?a",
    ],
)
def test_an_address_for_agents_that_cannot_be_used_is_named_without_credentials(text: str) -> None:
    with pytest.raises(settings.SettingsError, match="agent_url") as refused:
        settings.parse(options(agent_url=text))
    assert "secret" not in str(refused.value)


def test_on_agent_loss_is_read_per_queue() -> None:
    rules = settings.parse_on_agent_loss("wait:90s, gpu=wait:2h, cheap=retry")
    assert [rules.wait(queue) for queue in ("any", "gpu", "cheap")] == [90.0, 7200.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("poll_seconds", "soon"), ("poll_seconds", "0"), ("policy", "lax"), ("on_agent_loss", "wait:soon")],
)
def test_an_option_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=rf"\[tradewind\] {name}.*{value}"):
        settings.parse(options(**{name: value}))
