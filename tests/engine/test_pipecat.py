"""Bots made of pipecat's own transport, serializers and recognition of platforms, unchanged: an independent reading of
Twilio's, Telnyx', Plivo's, Exotel's, Vonage's and Genesys' messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest

from freeswitch_audio_stream.audio import Encoding, decode, encode
from tests.pipecat import pipecat_python
from tests.programs import has_said, running

from .harness import Platform, align, audible, noise, until

BOT = Path(__file__).with_name("pipecat_bot.py")
CODECS = {"twilio": "", "telnyx": "", "plivo": "mulaw ", "exotel": "", "vonage": "", "audiohook": ""}
PATHS = ("vonage", "audiohook")
"""Of the bot, for platforms whose first messages pipecat does not know."""


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with running([str(pipecat_python()), str(BOT)], tmp_path_factory.mktemp("bot")) as lines:
        until(lambda: has_said(lines, "port "), 120)
        yield lines


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
def test_the_caller_hears_the_bot_say_what_it_hears(platform: Platform, bot: list[str], name: str) -> None:
    port = next(match[1] for line in bot if (match := re.match(r"port (\d+)", line)))
    before = len(bot)
    call = platform.call(app="playback", speed=1, variables={"caller_id_number": "+4930123456"})
    url = f"ws://127.0.0.1:{port}/{name if name in PATHS else ''}"
    platform.start(call, f"{{protocol={name}}}{url}", rate=CODECS[name] + "8000",
                   metadata='{"from_number":"4711","inputVariables":{"from":"+4930123456"}}')
    until(lambda: has_said(bot[before:], f"call {name}"))
    if name in ("twilio", "telnyx", "exotel", "audiohook"):
        number = "4711" if name == "twilio" else "+4930123456"
        until(lambda: has_said(bot[before:], number))
    spoken = noise(16_000, 5, 3000)
    call.say(spoken)
    # pipecat sends in pieces of its own, and fades nothing; what comes back has gone through mu-law at most twice.
    expected = spoken if name in ("exotel", "vonage") else decode(encode(spoken, Encoding.MULAW), Encoding.MULAW)
    until(lambda: len(audible(call.heard())) > 14_000 and align(call.heard(), expected[4000:12_000])[1] > 0.98)
    call.dtmf("5")
    until(lambda: has_said(bot[before:], "digit 5"))
    platform.tell(call, "stop")
    until(lambda: has_said(bot[before:], "over"))
    assert not platform.events("stream_error", call)
