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


def test_every_platform_has_its_line_in_the_guide() -> None:
    guide = pages()["howto/platforms.md"]
    assert all(f"{{protocol={platform.name}}}" in guide for platform in PLATFORMS)
