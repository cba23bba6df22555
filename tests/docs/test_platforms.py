"""Telephony platforms: their protocols, rates, packets, and what their servers may send."""

from __future__ import annotations

import re
from dataclasses import replace

from freeswitch_audio_stream.audio import RATES, Encoding, Track
from freeswitch_audio_stream.errors import SettingError
from freeswitch_audio_stream.protocols import PROTOCOLS
from freeswitch_audio_stream.protocols.platforms import PLATFORMS, asterisk, audiohook, jambonz
from freeswitch_audio_stream.protocols.platforms.event_messages import EventSession

from .messages import info
from .pages import pages, plain, table, words


def takes(name: str, rate: int) -> bool:
    try:
        PROTOCOLS[name].carried(Track.INBOUND, Encoding.L16, rate)
    except SettingError:
        return False
    return True


def test_rates_and_packets() -> None:
    rows = {name: row for row in table("Protocol", "Platform", "Audio to the server") for name in words(row[0])}
    assert [*rows] == [platform.name for platform in PLATFORMS]
    for name, row in rows.items():
        told = {int(rate) for rate in re.findall(r"\d+", row[3])} or set(RATES)
        assert told & set(RATES) == {rate for rate in RATES if takes(name, rate)}
        packet = re.search(r"(\d+) ms", row[2])
        assert (int(packet[1]) if packet else None) == PROTOCOLS[name].packet_ms


def test_messages_from_the_server() -> None:
    readers = {"jambonz": [*jambonz._READERS, jambonz._PASSED_ON], "asterisk": [*asterisk._COMMANDS],
               "audiohook": [*audiohook._READERS]}
    for name, _, comes in table("Protocol", "To the server", "From the server"):
        protocol = PROTOCOLS[plain(name)]
        track, encoding = protocol.carried(Track.INBOUND, Encoding.L16, 8000)
        session = protocol.open(replace(info(), track=track, encoding=encoding))
        if isinstance(session, EventSession):
            readers[plain(name)] = [*session.readers]
        assert words(comes) == readers.get(plain(name), ["clear", "notify"])


def test_every_platform_has_a_page_with_its_line() -> None:
    for platform in PLATFORMS:
        page = pages()[f"howto/platforms/{platform.name.removesuffix('-json')}.md"]
        assert re.search(rf"^{{protocol={platform.name}[,}}]", page, re.MULTILINE) or platform.name == "twilio"
        assert all(f"**{what}" in page for what in ("Changes in the server", "Errors"))


def test_what_each_can_say() -> None:
    takes = {plain(name): set(words(comes)) for name, _, comes in table("Protocol", "To the server", "From the server")}
    says = {plain(name): set(words(goes)) for name, goes, _ in table("Protocol", "To the server", "From the server")}
    rows = table("Platform's protocol", "Mark")
    assert [name for row in rows for name in words(row[0])] == [platform.name for platform in PLATFORMS]
    for row in rows:
        name, (mark, _, clear, digit, *wanted, pause, full) = words(row[0])[0], row[1:]
        assert set(words(" ".join((mark, clear, *wanted, pause)))) <= takes[name]
        assert set(words(f"{digit} {full}")) <= says[name]
