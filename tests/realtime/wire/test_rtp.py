"""RTP in binary messages, both ways; the tests write and read packets by RFC 3550 and share nothing with the core."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import Encoding, alaw_to_samples, mulaw_to_samples, samples_to_alaw, samples_to_mulaw
from freeswitch_audio_stream.realtime.counters import Packets
from freeswitch_audio_stream.realtime.records import ATTEND_GARBAGE, ATTEND_PLAYBACK_STARTED
from freeswitch_audio_stream.realtime.wire.jitter_buffer import JITTER_MS, MAX_PACKET, WINDOW
from freeswitch_audio_stream.testing.peers.raw_websocket import frame
from freeswitch_audio_stream.testing.peers.websocket_end import WebSocketEnd

from .. import natives
from ..open_stream import OpenStream
from ..sound import Samples, correlation, noise, smooth

Opening = Callable[..., OpenStream]
with_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
BINARY = 2
IDENTITY = (0xDEADBEEF, 65530, 2 ** 32 - 800)
FORM = {"base64": False, "encoding": Encoding.MULAW, "encapsulation": "rtp", "rtp_identity": IDENTITY,
        "binary_playback": True}
LEAD = JITTER_MS * 8


# To the peer.


@dataclass(frozen=True)
class Read:
    """A packet as the RFC has it."""

    marker: bool
    kind: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes


def read_packet(data: bytes) -> Read:
    first, second, sequence, timestamp, source = struct.unpack("!BBHII", data[:12])
    assert first == 0x80, "version 2, no padding, no extension, no contributing sources"
    return Read(bool(second >> 7), second & 127, sequence, timestamp, source, data[12:])


def speak(stream: OpenStream, samples: Samples) -> None:
    for start in range(0, len(samples), 160):
        stream.leg.read(samples[start:start + 160], 8000)


def packets_of(server: WebSocketEnd, count: int) -> list[Read]:
    return [read_packet(message) for message in server.messages(count)]


def test_packets_to_the_peer(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    spoken = noise(160 * 50)
    speak(stream, spoken)
    packets = packets_of(server, 50)
    source, sequence, timestamp = IDENTITY
    for number, packet in enumerate(packets):
        assert (packet.kind, packet.source, len(packet.payload)) == (0, source, 160)
        assert packet.sequence == (sequence + number) % 65536
        assert packet.timestamp == (timestamp + 160 * number) % 2 ** 32
        assert packet.marker == (number == 0)
    assert b"".join(packet.payload for packet in packets) == samples_to_mulaw(spoken).tobytes()


def steps(packets: Sequence[Read]) -> list[tuple[int, int, bool]]:
    """Samples, distance of the timestamp to the first one's, and marker of each."""
    return [(len(packet.payload), (packet.timestamp - packets[0].timestamp) % 2 ** 32, packet.marker)
            for packet in packets]


def test_a_pause_moves_the_timestamp_on(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    speak(stream, noise(160))
    stream.leg.read(noise(80, 1), 8000)
    stream.path.pause(True)
    speak(stream, noise(480, 2))
    stream.path.pause(False)
    speak(stream, noise(320, 3))
    packets = packets_of(server, 4)
    assert steps(packets) == [(160, 0, True), (80, 160, False), (160, 160 + 80 + 480, True), (160, 880, False)]
    assert [packet.sequence for packet in packets] == [65530, 65531, 65532, 65533]
    assert packets[2].payload + packets[3].payload == samples_to_mulaw(noise(320, 3)).tobytes()


def test_dropped_audio_moves_the_timestamp_on(open_stream: Opening) -> None:
    stream = open_stream(**FORM, buffer_secs=1)
    speak(stream, noise(8000 + 480))
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    first = packets_of(server, 50)
    speak(stream, noise(160, 1))
    packets = first + packets_of(server, 1)
    assert steps(packets)[-2:] == [(160, 7840, False), (160, 8480, True)]
    assert stream.path.statistics().dropped == 480


def test_several_gaps_wait_in_the_ring(open_stream: Opening) -> None:
    stream = open_stream(**FORM, buffer_secs=4)
    wanted, place = [], 0
    for gap in range(100):
        speak(stream, noise(160, gap))
        wanted.append((160, place, True))
        stream.path.pause(True)
        speak(stream, noise(160 * (1 + gap % 3)))
        stream.path.pause(False)
        place += 160 * (2 + gap % 3)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    assert steps(packets_of(server, 100)) == wanted


def test_a_new_connection_begins_a_talk_spurt(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = WebSocketEnd(stream.connect())
    stream.path.open_media()
    speak(stream, noise(320))
    before = packets_of(server, 2)
    stream.disconnect()
    server = WebSocketEnd(stream.connect())
    speak(stream, noise(320))
    after = packets_of(server, 2)
    assert [packet.marker for packet in before + after] == [True, False, True, False]
    assert [packet.sequence for packet in before + after] == [65530, 65531, 65532, 65533]
    assert {packet.source for packet in before + after} == {IDENTITY[0]}


def test_the_rest_of_a_drain_is_a_short_packet(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = WebSocketEnd(stream.connect())
    speak(stream, noise(160))
    stream.leg.read(noise(30, 1), 8000)
    stream.path.drain_media()
    assert steps(packets_of(server, 2)) == [(160, 0, True), (30, 160, False)]


# From the peer.


@dataclass(frozen=True)
class Packet:
    """A packet to be sent; `extension` is a profile and whole words."""

    sequence: int
    timestamp: int
    payload: bytes
    kind: int = 0
    source: int = 0x11223344
    marker: bool = False
    contributors: int = 0
    extension: bytes | None = None
    padding: int = 0

    def wire(self) -> bytes:
        head = 2 << 6 | (self.padding > 0) << 5 | (self.extension is not None) << 4 | self.contributors
        data = struct.pack("!BBHII", head, self.marker << 7 | self.kind, self.sequence & 0xFFFF,
                           self.timestamp & 0xFFFFFFFF, self.source)
        data += b"CSRC" * self.contributors
        if self.extension is not None:
            data += struct.pack("!HH", 0xBEDE, len(self.extension) // 4) + self.extension
        data += self.payload
        return data + (bytes(self.padding - 1) + bytes([self.padding]) if self.padding else b"")


def talk(count: int, seed: int = 0, sequence: int = 100, timestamp: int = 5000) -> list[Packet]:
    """`count` packets of 20 ms each."""
    codes = samples_to_mulaw(noise(160 * count, seed)).tobytes()
    return [Packet(sequence + number, timestamp + 160 * number, codes[160 * number:160 * number + 160])
            for number in range(count)]


def feed(stream: OpenStream, packets: Sequence[Packet | bytes]) -> None:
    """Have the parser take the packets, each a message, in one piece."""
    wire = b"".join(frame(BINARY, packet if isinstance(packet, bytes) else packet.wire()) for packet in packets)
    memory = np.frombuffer(wire + b"\0", np.uint8).copy()
    natives.parse(stream.path.address, memory.ctypes.data, len(wire))


def levels(packets: Sequence[Packet | None]) -> Samples:
    """What should be heard: the lead, then the packets, silence for those that are None."""
    parts = [np.zeros(LEAD, np.int16)]
    for packet in packets:
        parts.append(np.zeros(160, np.int16) if packet is None
                     else mulaw_to_samples(np.frombuffer(packet.payload, np.uint8)))
    return np.concatenate(parts)


def play_all(stream: OpenStream) -> Samples:
    """What the caller hears until nothing is left, packets that wait for others included."""
    heard = [np.zeros(0, np.int16)]
    while stream.path.statistics().play_waiting or int(stream.field["held_count"]):
        heard.append(stream.leg.play_silence())
        if stream.path.statistics().play_waiting < 160 and int(stream.field["held_count"]):
            stream.wait_until(lambda: stream.path.statistics().play_waiting >= 160
                              or not int(stream.field["held_count"]))
    return np.concatenate(heard)


def hears(stream: OpenStream, wanted: Samples) -> None:
    heard = play_all(stream)
    assert np.array_equal(heard[:len(wanted)], wanted) and not heard[len(wanted):].any()


def test_packets_from_the_peer(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(20)
    feed(stream, packets)
    hears(stream, levels(packets))
    assert stream.path.packets() == Packets(0, 0, 0, 0, 0)
    assert stream.path.statistics().messages_received == 20


@pytest.mark.parametrize("cut", range(1, 200, 13))
def test_whatever_the_cuts(open_stream: Opening, cut: int) -> None:
    stream = open_stream(**FORM)
    packets = talk(5)
    wire = b"".join(frame(BINARY, packet.wire()[:50], final=False) + frame(9, b"ping")
                    + frame(0, packet.wire()[50:]) for packet in packets)
    for start in range(0, len(wire), cut):
        memory = np.frombuffer(wire[start:start + cut], np.uint8).copy()
        natives.parse(stream.path.address, memory.ctypes.data, len(memory))
    hears(stream, levels(packets))


@pytest.mark.parametrize("changes", [
    {"contributors": 1}, {"contributors": 15}, {"extension": b""}, {"extension": b"12345678"}, {"padding": 1},
    {"padding": 255}, {"contributors": 3, "extension": bytes(400), "padding": 4}, {"marker": True}])
def test_every_header_there_is(open_stream: Opening, changes: dict[str, object]) -> None:
    stream = open_stream(**FORM)
    packets = talk(3)
    feed(stream, [replace(packet, **changes) for packet in packets])  # type: ignore[arg-type]
    hears(stream, levels(packets))


def test_a_law(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    codes = samples_to_alaw(noise(320))
    feed(stream, [Packet(1, 0, codes[:160].tobytes(), kind=8), Packet(2, 160, codes[160:].tobytes(), kind=8)])
    hears(stream, np.concatenate([np.zeros(LEAD, np.int16), alaw_to_samples(codes)]))


def test_linear_samples_are_big_endian_and_of_44100_hz(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    spoken = smooth(44100, 1.0)
    blocks = [spoken[start:start + 882] for start in range(0, len(spoken), 882)]
    feed(stream, [Packet(number, 882 * number, block.astype(">i2").tobytes(), kind=11)
                  for number, block in enumerate(blocks)])
    assert correlation(play_all(stream)[LEAD:], spoken, 44100, 8000) > 0.999


@pytest.mark.slow
@with_fixtures
@given(data=st.data(), count=st.integers(20, 60), garbage=st.lists(st.binary(max_size=40), max_size=5))
def test_any_order_loss_and_garbage(open_stream: Opening, data: st.DataObject, count: int,
                                    garbage: list[bytes]) -> None:
    stream = open_stream(**FORM)
    packets = talk(count, sequence=65536 - count // 2, timestamp=2 ** 32 - 80 * count)
    inner = range(1, count - WINDOW)
    lost = data.draw(st.sets(st.sampled_from(inner), max_size=len(inner) // 2)) if len(inner) else set()
    late = data.draw(st.lists(st.floats(0, 7.9), min_size=count, max_size=count))
    # No packet is overtaken by one that is a window ahead; the first, and the last ones, stay where they are.
    places = sorted(set(range(count)) - lost, key=lambda n: n + (late[n] if 0 < n < count - WINDOW else 0))
    sent: list[Packet | bytes] = [packets[place] for place in places]
    for twice in data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=4)):
        sent.insert(twice, sent[twice])
    for rubbish in garbage:
        sent.insert(data.draw(st.integers(0, len(sent))), b"\x40" + rubbish)
    feed(stream, sent)
    hears(stream, levels([None if place in lost else packet for place, packet in enumerate(packets)]))
    counters = stream.path.packets()
    assert (counters.malformed, counters.unknown, counters.lost, counters.late) == (len(garbage), 0, len(lost), 0)
    assert counters.repeated == len(sent) - len(places) - len(garbage)


@with_fixtures
@given(st.lists(st.binary(max_size=60), max_size=20), st.lists(st.integers(0, 3000), max_size=10))
def test_rubbish_never_hurts(open_stream: Opening, messages: list[bytes], cuts: list[int]) -> None:
    stream = open_stream(**FORM)
    feed(stream, [bytes([0x80 | (message[0] & 0x3F)]) + message[1:] if message else message for message in messages])
    feed(stream, talk(2, sequence=30000))
    play_all(stream)


@with_fixtures
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2 ** 32 - 1), st.sampled_from([0, 8, 11]),
                          st.integers(0, 400), st.integers(0, 1)), max_size=60))
def test_a_sender_without_order_never_hurts(open_stream: Opening, sent: list[tuple[int, int, int, int, int]]) -> None:
    stream = open_stream(**FORM)
    feed(stream, [Packet(sequence, timestamp, bytes(size), kind, source)
                  for sequence, timestamp, kind, size, source in sent])
    play_all(stream)
    assert int(stream.field["held_count"]) == 0


def test_a_lost_packet_is_silence_when_a_window_has_come_since(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(WINDOW + 3)
    feed(stream, packets[:1] + packets[2:WINDOW + 1])
    assert (int(stream.field["held_count"]), stream.path.packets().lost) == (WINDOW - 1, 0)
    feed(stream, packets[WINDOW + 1:])
    assert (int(stream.field["held_count"]), stream.path.packets().lost) == (0, 1)
    hears(stream, levels([packets[0], None, *packets[2:]]))


def test_the_caller_does_not_wait_for_a_lost_packet(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(4)
    feed(stream, [packets[0], packets[2], packets[3]])
    frames = LEAD // 160
    assert not stream.leg.play_silence(frames).any()
    assert int(stream.field["held_count"]) == 2, "there is time left for the packet to come"
    heard = [stream.leg.play_silence()]
    stream.wait_until(lambda: int(stream.field["held_count"]) == 0)
    heard.append(play_all(stream))
    sound = np.concatenate(heard)
    assert np.array_equal(sound[:160], levels([packets[0]])[LEAD:])
    again = levels([packets[2], packets[3]])[LEAD:]
    resumed = sound[160 + np.flatnonzero(sound[160:])[0]:]
    assert np.array_equal(resumed[:300], again[np.flatnonzero(again)[0]:][:300])
    feed(stream, [packets[1]])
    assert stream.path.packets() == Packets(0, 0, 1, 1, 0)


def test_a_packet_in_time_closes_the_gap(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(4)
    feed(stream, [packets[0], packets[2], packets[3]])
    heard = [stream.leg.play_silence(LEAD // 160)]
    feed(stream, [packets[1]])
    heard.append(play_all(stream))
    assert np.array_equal(np.concatenate(heard), levels(packets))
    assert stream.path.packets() == Packets(0, 0, 0, 0, 0)


def test_a_pause_of_the_sender_is_silence_while_it_is_ahead(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    first, second = talk(2), [replace(packet, sequence=packet.sequence + 2, timestamp=packet.timestamp + 320 + 800)
                              for packet in talk(2, 1)]
    feed(stream, first + second)
    hears(stream, levels([*first, *[None] * 5, *second]))


def test_a_timestamp_that_jumps_far_is_no_pause(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(2)
    feed(stream, [packets[0], replace(packets[1], timestamp=packets[1].timestamp + 10 ** 6)])
    hears(stream, levels(packets))


def test_another_sender_begins_anew(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    first, second = talk(3), [replace(packet, source=99) for packet in talk(3, 1, sequence=9, timestamp=77)]
    feed(stream, [first[0], first[2], *second])
    hears(stream, levels([first[0], None, first[2], *second]))


def test_a_sender_that_starts_again_is_believed_the_second_time(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    first, second = talk(2), talk(4, 1, sequence=40000, timestamp=3)
    feed(stream, first + second)
    hears(stream, levels([*first, *second[1:]]))
    assert stream.path.packets() == Packets(0, 0, 0, 1, 0)


GARBAGE = {
    "empty": b"", "short": bytes([0x80] + [0] * 10), "raw mu-law": bytes([0x7F] * 160), "silence": bytes([0xFF] * 160),
    "zeros": bytes(172), "version 1": b"\x40" + bytes(171), "too long": Packet(1, 2, bytes(MAX_PACKET)).wire(),
    "contributors cut": b"\x8f" + bytes(20), "extension cut": b"\x90" + bytes(12),
    "extension of nothing": b"\x90" + bytes(13) + b"\xff\xff" + bytes(30),
    "no padding": b"\xa0" + bytes(30), "padding beyond": b"\xa0" + bytes(29) + b"\xff",
}


@pytest.mark.parametrize("rubbish", GARBAGE)
def test_garbage_is_counted_and_told_once_a_second(open_stream: Opening, rubbish: str) -> None:
    stream = open_stream(**FORM)
    feed(stream, [GARBAGE[rubbish]])
    assert stream.attention() & ATTEND_GARBAGE
    feed(stream, [GARBAGE[rubbish]] * 4)
    assert not stream.attention() & ATTEND_GARBAGE
    assert stream.path.packets() == Packets(5, 0, 0, 0, 0)
    packets = talk(2)
    feed(stream, packets)
    hears(stream, levels(packets))


def test_a_message_far_too_long_is_one_packet_of_garbage(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    server = stream.connect()
    packets = talk(2)
    server.sendall(b"".join(frame(BINARY, data) for data in (packets[0].wire(), bytes(3_000_000), packets[1].wire())))
    stream.wait_until(lambda: stream.path.statistics().play_waiting == LEAD + 320)
    assert stream.path.packets() == Packets(1, 0, 0, 0, 0)


def test_an_unknown_payload_type_is_told(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(3)
    feed(stream, [packets[0], replace(packets[1], kind=9), replace(packets[1], kind=101)])
    assert stream.attention() & ATTEND_GARBAGE
    assert stream.path.packets().unknown == 2
    assert stream.path.statistics().play_waiting == LEAD + 160


def test_a_new_connection_knows_nothing_of_the_last(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    packets = talk(3)
    server = stream.connect()
    server.sendall(frame(BINARY, packets[0].wire()) + frame(BINARY, packets[2].wire()))
    stream.wait_until(lambda: int(stream.field["held_count"]) == 1)
    stream.disconnect()
    server = stream.connect()
    again = talk(2, 5, sequence=7, timestamp=1)
    server.sendall(b"".join(frame(BINARY, packet.wire()) for packet in again))
    stream.wait_until(lambda: stream.path.statistics().play_waiting == LEAD + 5 * 160)
    hears(stream, levels([packets[0], None, packets[2], *again]))


def test_nothing_is_held_when_the_socket_is_given_back(open_stream: Opening) -> None:
    # The memory that holds packets may be gone by the time the loop looks at the stream again.
    stream = open_stream(**FORM)
    packets = talk(3)
    stream.connect().sendall(frame(BINARY, packets[0].wire()) + frame(BINARY, packets[2].wire()))
    stream.wait_until(lambda: int(stream.field["held_count"]) == 1)
    stream.disconnect()
    assert int(stream.field["held_count"]) == 0
    hears(stream, levels([packets[0], None, packets[2]]))


def test_nothing_is_played_that_is_to_be_discarded(open_stream: Opening) -> None:
    stream = open_stream(**FORM)
    stream.path.discard_audio()
    feed(stream, talk(5))
    assert stream.path.statistics().play_waiting == 0
    assert not stream.attention() & ATTEND_PLAYBACK_STARTED
