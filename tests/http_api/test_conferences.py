"""A conference, as the server sees it: a leg is asked for, attached to, and sent home; on an embedded switch."""

from __future__ import annotations

import pytest

from freeswitch_audio_stream.http_api import conferences
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.engine.harness import find, noise, until

from .harness import TOKEN, Site

ROOM = "/v1.0/conferences/room/media_stream"


def leg(site: Site) -> EmbeddedCall:
    """The latest that was made."""
    call = site.switch.sessions.find(site.dialled[-1][0]["origination_uuid"])
    assert call is not None
    return call


@pytest.fixture(autouse=True)
def room(site: Site) -> None:
    site.conferences = {"room": 3}


def test_a_client_hears_the_conference_and_speaks_into_it(site: Site) -> None:
    client = site.connect(ROOM)
    client.hear(site.mix[-8000:])
    answer = noise(8000, 12)
    client.send(answer)
    call = leg(site)
    until(lambda: find(call.heard(), answer) >= 0)
    attached = site.event("media_client_attached", call, "media-1")
    assert attached["conference"] == "room" and attached["clients"] == 1
    client.close()
    assert call.join(30), "the leg leaves with its client"


def test_the_leg_is_a_ghost_that_nobody_lets_in(site: Site) -> None:
    site.connect(ROOM)
    variables, target = site.dialled[-1]
    assert target.startswith("loopback/") and variables["originate_timeout"] == "5"


def test_clients_of_a_conference_are_counted_together(site: Site) -> None:
    clients = [site.connect(ROOM) for _ in range(8)]
    legs = len(site.dialled)
    answer = site.request(f"{ROOM}?token={TOKEN}&encapsulation=sln")
    assert answer.status == 503 and "media-server-max-clients-per-call" in answer.detail
    assert len(site.dialled) == legs, "no leg was made for it"
    clients[0].close()


def test_whoever_could_not_join_does_not_count(site: Site) -> None:
    commands = site.switch.commands.of_the_switch
    commands["originate"] = lambda arguments: "-ERR CHAN_NOT_IMPLEMENTED"
    try:
        for _ in range(9):
            assert "mod_loopback" in site.request(f"{ROOM}?token={TOKEN}&encapsulation=sln").detail
    finally:
        commands["originate"] = site._originate
    site.connect(ROOM).close()


def test_the_client_goes_when_the_conference_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conferences, "_WATCH_SECONDS", 0.01)
    client = site.connect(ROOM)
    site.conferences["room"] = 0
    assert client.close_code() == 1000


def test_the_client_goes_with_its_leg(site: Site) -> None:
    client = site.connect(ROOM)
    leg(site).hangup()
    assert client.close_code() == 1000


def test_a_conference_that_ends_while_the_leg_joins(site: Site) -> None:
    counts = iter(("3", "0"))
    site.switch.commands.of_the_switch["conference"] = lambda arguments: next(counts)
    try:
        assert site.request(f"{ROOM}?token={TOKEN}&encapsulation=sln").status == 404
    finally:
        site.switch.commands.of_the_switch["conference"] = site._conference
    made = site.dialled[-1][0]["origination_uuid"]
    until(lambda: site.switch.sessions.find(made) is None)


def test_a_switch_that_makes_no_leg(site: Site) -> None:
    commands = site.switch.commands.of_the_switch
    commands["originate"] = lambda arguments: "-ERR CHAN_NOT_IMPLEMENTED"
    try:
        answer = site.request(f"{ROOM}?token={TOKEN}&encapsulation=sln")
        assert answer.status == 503 and "mod_loopback" in answer.detail
    finally:
        commands["originate"] = site._originate


def test_a_switch_without_conferences(site: Site) -> None:
    commands = site.switch.commands.of_the_switch
    conference = commands.pop("conference")
    try:
        answer = site.request(f"{ROOM}?token={TOKEN}&encapsulation=sln")
        assert answer.status == 503 and "no command conference" in answer.detail
    finally:
        commands["conference"] = conference
