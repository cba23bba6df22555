"""Streams of FFmpeg's with loss and reordering, and what aiortc's jitter buffer makes of the same packets."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from typing import Callable, Iterator, Sequence

import numpy as np
import pytest

from freeswitch_audio_stream.audio import alaw_to_samples, mulaw_to_samples
from freeswitch_audio_stream.realtime.wire.jitter_buffer import JITTER_MS, WINDOW
from freeswitch_audio_stream.testing.peers import PATIENCE

from ..open_stream import OpenStream
from ..sound import Samples
from .test_rtp import FORM, feed, play_all

aiortc = pytest.importorskip("aiortc")

from aiortc.jitterbuffer import JitterBuffer  # noqa: E402
from aiortc.rtp import RtpPacket  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")]

PACKETS = 150
DECODERS = {0: mulaw_to_samples, 8: alaw_to_samples}
Opening = Callable[..., OpenStream]


def capture(codec: str) -> list[bytes]:
    """The first packets of 20 ms that FFmpeg sends of noise, as they come from the network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        sender = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=r=8000:a=0.5:seed=1:d=4",
             "-af", "asetnsamples=160", "-c:a", codec,
             "-f", "rtp", f"rtp://127.0.0.1:{port}?pkt_size=172&rtcpport={port}"], stdout=subprocess.DEVNULL)
        with sender:
            packets = list(_audio(listener))
            sender.kill()
    return packets


def _audio(listener: socket.socket) -> Iterator[bytes]:
    """RTCP comes to the same port."""
    found = 0
    while found < PACKETS:
        data = listener.recv(2048)
        if data[1] & 0x7F in DECODERS:
            found += 1
            yield data


@pytest.fixture(scope="module", params=["pcm_mulaw", "pcm_alaw"])
def captured(request: pytest.FixtureRequest) -> list[bytes]:
    return capture(request.param)


def number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def disturbed(packets: Sequence[bytes], seed: int, loss: float, delay: float) -> list[bytes]:
    """In the order in which they arrive: some are lost, and each is up to `delay` packets later than it should be.

    The first one, and the last ones, come as they are, so that both buffers begin and end at the same place.
    """
    dice = random.Random(seed)
    arrivals = []
    for place, packet in enumerate(packets):
        whole = place == 0 or place >= len(packets) - WINDOW
        if whole or dice.random() >= loss:
            arrivals.append((place + (0.0 if whole else dice.uniform(0.0, delay)), packet))
    return [packet for _, packet in sorted(arrivals, key=lambda arrival: arrival[0])]


def in_bursts(packets: Sequence[bytes], seed: int) -> list[bytes]:
    """Up to five packets in a row are lost, again and again."""
    dice, kept, place = random.Random(seed), list[bytes](), 0
    while place < len(packets):
        run = dice.randint(5, 20)
        kept += packets[place:place + run]
        place += run + dice.randint(1, 5)
    return kept + [packet for packet in packets[-WINDOW:] if packet not in kept]


def by_aiortc(arrivals: Sequence[bytes], kind: int) -> list[Samples]:
    """The frames that its buffer, of as many packets as ours, gives out, but for those that it still holds."""
    buffer, frames = JitterBuffer(capacity=WINDOW), []
    for data in arrivals:
        packet = RtpPacket.parse(data)
        setattr(packet, "_data", packet.payload)  # as its receiver does
        _, frame = buffer.add(packet)
        while frame is not None:  # it gives out one at a time, and would run full behind a gap
            frames.append(DECODERS[kind](np.frombuffer(frame.data, np.uint8)))
            frame = buffer._remove_frame(packet.sequence_number)
    return frames


def decoded(packet: bytes, kind: int) -> Samples:
    return DECODERS[kind](np.frombuffer(packet, np.uint8, offset=12))


def blocks(heard: Samples, lead: int) -> list[Samples]:
    """What was heard behind the lead, in pieces of a packet."""
    return [heard[start:start + 160] for start in range(lead, len(heard) - 159, 160)]


def heard_of(opened: OpenStream, arrivals: Sequence[bytes]) -> list[Samples]:
    feed(opened, arrivals)
    return blocks(play_all(opened), JITTER_MS * 8)


def in_order(part: Sequence[Samples], whole: Sequence[Samples]) -> bool:
    """Whether all of `part` is in `whole`, in its order."""
    rest = iter(block.tobytes() for block in whole)
    return all(any(block.tobytes() == other for other in rest) for block in part)


@pytest.mark.parametrize("disturb, is_alike", [
    (list, True), (lambda packets: disturbed(packets, 1, 0.05, 0.0), True),
    (lambda packets: disturbed(packets, 2, 0.0, 6.0), True), (lambda packets: disturbed(packets, 3, 0.1, 6.0), False),
    (lambda packets: in_bursts(packets, 4), False)], ids=["whole", "loss", "reordering", "both", "bursts"])
def test_the_caller_hears_all_that_aiortc_gives_out(
        open_stream: Opening, captured: list[bytes], disturb: Callable[[Sequence[bytes]], list[bytes]],
        is_alike: bool) -> None:
    """Where several are missing at once, it throws away packets that have come, to make room; we do not."""
    arrivals = disturb(captured)
    kind = arrivals[0][1] & 0x7F
    heard = heard_of(open_stream(**FORM), arrivals)
    present = {number(packet) for packet in arrivals}
    places = [place for place, packet in enumerate(captured) if number(packet) in present]
    theirs = by_aiortc(arrivals, kind)
    # Its frame is complete when the next packet has come: it gives out none that is right before a gap, and we do.
    ours = [heard[place] for place in places if place + 1 in places]
    assert len(theirs) > 0.6 * len(ours) and in_order(theirs, ours)
    assert not is_alike or len(theirs) == len(ours)
    assert all(np.array_equal(heard[place], decoded(captured[place], kind)) for place in places)
    gaps = set(range(len(captured))) - set(places)
    assert not any(heard[place].any() for place in gaps), "what was lost is silence, as long as it would have been"
