"""What a person does to agents, attempts and tokens, and what comes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import yaml
from playwright.sync_api import expect

from support.installed import environments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHART = Path(__file__).parents[2] / "deploy/helm/tradewind-agent"


def look_at(page: Any, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def test_an_agent_is_cordoned_and_resumed_with_a_reason_by_keyboard_alone(open_page: Any, stand: Any) -> None:
    stand.agent("cadiz")
    page = open_page(user="op")
    page.get_by_role("link", name="cadiz", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cordon cadiz").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cordon cadiz")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").focus()
    page.keyboard.type("new disk")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="cadiz is cordoned")).to_be_visible()
    expect(page.get_by_text("by op: new disk")).to_be_visible()
    expect(page.get_by_role("region", name="Events").get_by_role("row").nth(1)).to_contain_text(
        "agent cordoned"
    )

    page.get_by_role("button", name="Resume cadiz").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()


def test_escape_changes_nothing(open_page: Any, stand: Any) -> None:
    stand.agent("genoa")
    page = open_page(user="op")
    look_at(page, "genoa")
    page.get_by_role("button", name="Drain genoa").click()
    expect(page.get_by_role("alertdialog", name="Drain genoa")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Drain genoa")).to_be_focused()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()


def test_slots_are_set_and_the_bar_follows_once_the_agent_has_done_it(open_page: Any, stand: Any) -> None:
    stand.agent("delft")
    page = open_page(user="op")
    look_at(page, "delft")
    page.get_by_role("button", name="Set slots of default on delft").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Slots")).to_have_value("8")
    dialog.get_by_label("Slots").fill("3")
    dialog.get_by_role("button", name="Set slots").click()
    expect(page.get_by_role("meter", name="Slots of default in use")).to_have_attribute(
        "aria-valuetext", "0 of 3", timeout=15_000
    )


def test_an_agent_is_drained_and_removed_when_it_is_gone(open_page: Any, stand: Any) -> None:
    talker = stand.agent("ghent")
    page = open_page(user="op")
    look_at(page, "ghent")
    page.get_by_role("button", name="Drain ghent").click()
    page.get_by_role("alertdialog").get_by_label("Reason").fill("moved to Antwerp")
    page.get_by_role("alertdialog").get_by_role("button", name="Drain", exact=True).click()
    expect(page.get_by_text("by op: moved to Antwerp").first).to_be_visible()
    expect(page.get_by_role("button", name="Cordon ghent")).to_have_count(0)
    talker.leave()
    page.get_by_role("button", name="Remove ghent").click(timeout=20_000)
    page.get_by_role("alertdialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page).to_have_url(re.compile("/plugin/remote-agents/?$"))
    page.get_by_label("Show lost and offline agents").check(force=True)
    expect(page.get_by_role("link", name="ghent", exact=True)).to_have_count(0)


def test_a_running_attempt_is_stopped(open_page: Any, working_site: str, rest: Any) -> None:
    page = open_page(user="op")
    look_at(page, "frankfurt-1")
    running = page.get_by_role("region", name="Running attempts")
    running.get_by_role("row").filter(has_text="map 2").get_by_role(
        "button", name=re.compile("^Stop")
    ).click()
    page.get_by_role("alertdialog").get_by_label("Reason").fill("wrong field")
    page.get_by_role("alertdialog").get_by_role("button", name="Stop", exact=True).click()
    ended = page.get_by_role("region", name="Recent attempts")
    expect(ended.get_by_role("row").filter(has_text="map 2")).to_contain_text("stopped", timeout=40_000)
    rest.wait_for_task("harvest", working_site, "pick", ["failed"], map_index=2)


def test_the_value_of_a_new_token_is_seen_once_and_works(open_page: Any, plane: Any) -> None:
    page = open_page("tokens")
    page.get_by_role("button", name="Create token").click()
    dialog = page.get_by_role("dialog", name="Create agent token")
    dialog.get_by_label("Name").fill("seen-once")
    dialog.get_by_label("Description").fill("of the north site")
    dialog.get_by_label("Expires").select_option("in 90 days")
    dialog.get_by_role("button", name="Create").click()
    value = page.get_by_role("region", name="token value").inner_text().strip()
    assert value.startswith("tw_agent_")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy token value").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == value
    row = page.get_by_role("row").filter(has_text="seen-once")
    expect(row).to_contain_text("of the north site")
    expect(row).to_contain_text(re.compile(r"in 8\d d"))
    page.reload()
    expect(row).to_be_visible()
    assert value not in page.content()

    page.get_by_role("button", name="Delete token seen-once").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    refused = httpx.post(
        f"{plane.url}/remote-execution/v1/sessions", headers={"Authorization": f"Bearer {value}"}, json={}
    )
    assert refused.status_code in (401, 403, 422)


def test_a_rotated_token_shows_its_new_value_once_and_until_when_the_old_one_is_good(open_page: Any) -> None:
    page = open_page("register")
    page.get_by_label("Agent name").fill("turns")
    page.get_by_role("button", name="Create token turns").click()
    first = page.get_by_role("region", name="token value").inner_text().strip()
    page.get_by_role("link", name="Tokens", exact=True).click()
    page.get_by_role("button", name="Rotate token turns").click()
    page.get_by_role("dialog").get_by_label("Hours the old value stays valid").fill("6")
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    second = page.get_by_role("region", name="token value").inner_text().strip()
    assert second.startswith("tw_agent_") and second != first
    expect(page.get_by_role("row").filter(has_text="turns")).to_contain_text(
        re.compile("old value expires in (6 h|5 h 59 min)")
    )


def test_networks_are_allowed_and_a_list_that_locks_everybody_out_is_refused(
    open_page: Any, plane: Any
) -> None:
    page = open_page("addresses")
    expect(page.get_by_role("heading", name="Agents may connect from anywhere")).to_be_visible()

    def allow(network: str, description: str = "") -> Any:
        page.get_by_role("button", name="Add network").click()
        dialog = page.get_by_role("dialog", name="Add network")
        dialog.get_by_label("Network").fill(network)
        dialog.get_by_label("Description").fill(description)
        dialog.get_by_role("button", name="Add", exact=True).click()
        return dialog

    try:
        dialog = allow("203.0.113.0/24")
        expect(dialog).to_contain_text("The request failed")
        dialog.get_by_role("button", name="Cancel").click()
        expect(allow("127.0.0.0/8", "this machine")).to_have_count(0)
        expect(page.get_by_role("row").filter(has_text="127.0.0.0/8")).to_contain_text("this machine")
        expect(allow("2001:db8::/32", "the north site")).to_have_count(0)
        page.get_by_role("button", name="Remove 2001:db8::/32").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_role("row").filter(has_text="2001:db8")).to_have_count(0)
        expect(page.get_by_role("row").filter(has_text="127.0.0.0/8")).to_be_visible()
    finally:
        with plane.client() as http:
            answer = http.put("/tradewind/v1/allowed-addresses", json={"networks": [], "force": True})
            assert answer.is_success, answer.text


def test_access_to_dags_of_another_site_is_added_and_removed(open_page: Any) -> None:
    page = open_page("site-access")
    expect(page.get_by_role("heading", name="Each site reaches its own Dags only")).to_be_visible()
    page.get_by_role("button", name="Add access").click()
    dialog = page.get_by_role("dialog", name="Add access")
    dialog.get_by_label("Site", exact=False).first.fill("reporting")
    dialog.get_by_label("Dags of site").fill("reporting")
    dialog.get_by_label("Access").select_option("start")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_contain_text("The request failed")
    dialog.get_by_label("Dags of site").fill("*")
    dialog.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row").filter(has_text="reporting")
    expect(row).to_contain_text("Start")
    expect(row).to_contain_text("every site and the plane")
    row.get_by_role("button", name="Remove reporting: Start, every site and the plane").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)


def test_a_refusal_is_shown_where_it_was_asked_for_and_the_form_stays(open_page: Any) -> None:
    page = open_page("tokens")
    for _ in range(2):
        page.get_by_role("button", name="Create token").click()
        dialog = page.get_by_role("dialog", name="Create agent token")
        dialog.get_by_label("Name").fill("twice")
        dialog.get_by_role("button", name="Create").click()
        page.wait_for_timeout(500)
    expect(dialog).to_contain_text("There is a token named 'twice' already")
    expect(dialog.get_by_label("Name")).to_have_value("twice")


def test_events_are_filtered_and_the_view_has_an_address_of_its_own(open_page: Any, stand: Any) -> None:
    stand.agent("arles")
    page = open_page("events")
    page.get_by_label("Subject").fill("agent:arles")
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="session opened")).to_have_count(1)
    expect(rows.filter(has_text="arles")).to_have_count(rows.count() - 1)  # all but the head
    expect(page).to_have_url(re.compile(r"subject=agent%3Aarles"))
    page.reload()
    expect(rows.filter(has_text="session opened")).to_have_count(1)
    page.get_by_label("Category").select_option("token")
    expect(page.get_by_role("heading", name="No events")).to_be_visible()


def fill_in(page: Any, **more: str) -> None:
    """The page Register, with Dags in a folder."""
    for label, text in more.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    page.get_by_label("Dag source").select_option("folder")
    page.get_by_label("Folder", exact=True).fill("/srv/dags")


def written(page: Any, what: str) -> str:
    """The file that a shown command writes."""
    text: str = page.get_by_role("region", name=what).inner_text()
    return text.split("\n", 1)[1].rpartition("\nEND")[0]


def test_the_settings_shown_start_an_agent_and_the_page_sees_it_arrive(
    open_page: Any, tmp_path: Path
) -> None:
    page = open_page("register")
    fill_in(page, Agent_name="rome-1", Queues="default, olives", Slots="2")
    for component in ("worker", "dag processor"):
        page.get_by_label(component).uncheck(force=True)
    page.get_by_label("Dag source").select_option("none")
    expect(page.get_by_text("Waiting for rome-1 to connect")).to_be_visible()
    page.get_by_role("button", name="Create token rome-1").click()
    token = page.get_by_role("region", name="token value").inner_text()
    (tmp_path / "agent-token").write_text(token)
    (tmp_path / "agent-token").chmod(0o600)
    expect(page.get_by_role("region", name="settings file")).to_contain_text('["triggerer"]')
    here = str(tmp_path)
    (tmp_path / "agent.toml").write_text(written(page, "settings file").replace("~/tradewind/rome-1", here))
    made = environments()
    extra = ["--interpreter", str(made.tasks), "--metrics-port", "0"]
    command = [str(made.agent.with_name("tradewind-agent")), "run", "--config", "agent.toml", *extra]
    with (tmp_path / "log").open("wb") as log:
        agent = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        expect(page.get_by_text("is connected")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("region", name="Check the connection")).to_contain_text(
            "healthy", timeout=60_000
        )
        page.get_by_role("link", name="rome-1").click()
        expect(page.get_by_role("heading", name="rome-1")).to_be_visible()
    finally:
        agent.terminate()
        assert agent.wait(60) == 0


def test_an_agent_that_arrives_in_trouble_is_not_shown_as_well(open_page: Any, stand: Any) -> None:
    words = "\n".join(f"line {number} of what Git said" for number in range(20))
    stand.agent("pisa", findings=[{"check": "bundle:dags", "message": words, "remedy": "Check the address."}])
    page = open_page("register")
    fill_in(page, Agent_name="pisa")
    arrival = page.get_by_role("region", name="Check the connection")
    expect(arrival).to_contain_text("degraded")
    expect(arrival).to_contain_text("Check the address.")
    expect(arrival).to_contain_text("The agent is not ready for work")


def test_what_cannot_work_is_said_while_it_is_typed(open_page: Any) -> None:
    page = open_page("register")
    expect(page.get_by_text("The commands appear when the form is complete.")).to_be_visible()
    expect(page.get_by_text("The address of the repository is missing")).to_be_visible()
    page.get_by_label("Repository", exact=True).fill("https://git.example.com/team/dags.git")
    expect(page.get_by_role("region", name="settings file")).to_contain_text(
        'repo_url = "https://git.example.com/team/dags.git", tracking_ref = "main"'
    )
    page.get_by_label("Agent name").fill("oslo's 2")
    expect(page.get_by_text("has letters, digits and").first).to_be_visible()
    expect(page.get_by_role("button", name="Create token oslo's 2")).to_be_disabled()
    page.get_by_label("Agent name").fill("oslo-2")
    page.get_by_label("Site", exact=True).fill("north sea")
    expect(page.get_by_text("The name of the site begins with").first).to_be_visible()
    page.get_by_label("Site", exact=True).fill("north-sea")
    page.get_by_label("Repository", exact=True).fill("https://me:secret@git.example.com/team/dags.git")
    expect(page.get_by_text("name a connection of the site").first).to_be_visible()


def test_the_secrets_backend_and_the_log_store_of_the_site_are_in_the_settings(open_page: Any) -> None:
    page = open_page("register")
    fill_in(page, Agent_name="oslo-3", Task_logs="wasb://logs")
    page.get_by_label("Secrets backend").select_option("vault-approle")
    expect(page.get_by_text("Name Vault's address, such as https://vault.example.com.")).to_be_visible()
    fill_in(page, Vault_URL="https://vault.example.com", Role_ID="of-the-site")
    fill_in(page, Connection_for_task_logs="site_store", Container_for_task_logs="site")
    expect(page.get_by_role("region", name="settings file")).to_contain_text("REMOTE_WASB_LOG_CONTAINER")
    [environment] = tomllib.loads(written(page, "settings file"))["environments"]
    assert environment["env"]["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "wasb://logs"
    arguments = json.loads(environment["env"]["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    assert (arguments["url"], arguments["role_id"]) == ("https://vault.example.com", "of-the-site")
    page.get_by_role("tab", name="Helm").click()
    expect(page.get_by_role("region", name="values file")).to_contain_text("secretsBackend:")
    values = yaml.safe_load(written(page, "values file"))
    assert values["secretsBackend"]["kwargs"] == arguments
    assert values["logs"] == {"remote": "wasb://logs", "connection": "site_store", "container": "site"}


def test_every_way_to_start_an_agent_is_filled_in(open_page: Any, plane: Any) -> None:
    page = open_page("register")
    fill_in(page, Agent_name="oslo-2", Shared_storage="/mnt/shared/tradewind")
    page.get_by_role("tab", name="systemd").click()
    expect(page.get_by_role("region", name="settings file")).to_contain_text(f'plane_url = "{plane.url}"')
    expect(page.get_by_role("region", name="systemd unit")).to_contain_text("RestartPreventExitStatus=3 78")
    expect(page.get_by_role("region", name="user command")).to_contain_text("useradd --system")
    page.get_by_role("tab", name="Container").click()
    page.get_by_role("textbox", name="Image").fill("registry.example.com/etl:7")
    expect(page.get_by_role("region", name="start command")).to_contain_text(
        "registry.example.com/etl:7 tradewind-agent run"
    )
    page.get_by_role("tab", name="Helm").click()
    expect(page.get_by_role("region", name="values file")).to_contain_text("bundles:")
    values = yaml.safe_load(written(page, "values file"))
    jsonschema.validate(values, json.loads((CHART / "values.schema.json").read_text()))
    assert values["image"] == {"repository": "registry.example.com/etl", "tag": "7"}
    standalone = values["standalone"]
    assert (standalone["settings"], standalone["queues"]) == ({"name": "oslo-2"}, ["default"])
    assert values["storage"] == "/mnt/shared/tradewind"
    expect(page.get_by_role("region", name="install command")).to_contain_text(
        "helm install oslo-2 /srv/tradewind/dist/charts/tradewind-agent-"
    )
    page.get_by_role("tab", name="Kubernetes").click()
    expect(page.get_by_role("region", name="manifest")).to_contain_text("secretName: oslo-2-token")


def test_a_finding_of_twenty_lines_takes_two_in_the_table_and_can_be_read_whole(
    open_page: Any, stand: Any
) -> None:
    words = "\n".join(f"line {number} of what Git said" for number in range(20))
    stand.agent("siena", findings=[{"check": "bundle:dags", "message": words, "remedy": "Check it."}])
    page = open_page()
    row = page.get_by_role("row").filter(has_text="siena")
    expect(row).to_contain_text("degraded")
    box = row.bounding_box()
    assert box is not None and box["height"] < 130, box
    row.get_by_role("button", name="Show more: reason that siena is degraded").click()
    expect(row.get_by_text("line 19 of what Git said")).to_be_in_viewport()
    page.get_by_role("link", name="siena", exact=True).click()
    page.get_by_role("button", name="Show more: finding bundle:dags").click()
    expect(page.get_by_text("line 19 of what Git said").first).to_be_visible()
