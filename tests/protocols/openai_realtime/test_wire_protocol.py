"""The protocol as streams speak it: what the session says, in the words of the engine."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Callable, Coroutine

import numpy as np
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.audio import Encoding, Track  # noqa: E402
from freeswitch_audio_stream.errors import SettingError  # noqa: E402
from freeswitch_audio_stream.protocols import PROTOCOLS, ProtocolSession  # noqa: E402
from freeswitch_audio_stream.protocols.messages import (CallLater, ClearAudio, HangUp, Incoming,  # noqa: E402
                                                        PausePlayback, PlayAudio, Reconnect, Reply, ReportError,
                                                        StreamInfo, ToolCall, TranscriptionReceived)
from freeswitch_audio_stream.testing.openai_realtime import Failure, Reply as Answer, Script, Turn  # noqa: E402

from .pair import Pair  # noqa: E402

SECOND = np.ones(24000, np.int16)
PROTOCOL = PROTOCOLS["openai-realtime"]


def _info(metadata: str | None = None, encoding: Encoding = Encoding.L16, rate: int = 24000) -> StreamInfo:
    return StreamInfo("agent", "uuid", Track.INBOUND, encoding, rate, metadata=metadata)


class StreamPair(Pair):
    """A stream's session and the local server; `told` is what the engine would have to do."""

    def __init__(self, script: Script, session: ProtocolSession) -> None:
        from freeswitch_audio_stream.protocols.openai_realtime import History, RealtimeOptions
        super().__init__(script, RealtimeOptions(), History())
        self.stream = session
        self.told: list[Incoming] = []

    async def obey(self, incoming: Any) -> None:
        for one in incoming:
            if isinstance(one, Reply):
                await self.server.receive(one.message.head)
            else:
                self.told.append(one)

    async def settle(self) -> None:
        quiet = 0
        while quiet < 20:
            quiet = 0 if self._waiting else quiet + 1
            while self._waiting:
                await self.obey(self.stream.receive(self._waiting.popleft().encode()))
            await asyncio.sleep(0)

    async def begin(self) -> None:
        await self.server.begin()
        for message in self.stream.opening():
            await self.server.receive(message.head)
        await self.settle()

    async def heard(self, *report: Any) -> None:
        for message in self.stream.heard(*report):
            await self.server.receive(message.head)
        await self.settle()

    def all(self, kind: type) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    @property
    def items(self) -> list[str]:
        return list(dict.fromkeys(one.item for one in self.all(PlayAudio)))


def _converse(work: Callable[[StreamPair], Coroutine[Any, Any, None]], script: Script | None = None,
              session: ProtocolSession | None = None, **options: Any) -> StreamPair:
    async def run() -> StreamPair:
        pair = StreamPair(script or Script(), session or PROTOCOL.open(_info(json.dumps(options))))
        await pair.begin()
        await work(pair)
        await pair.settle()
        await pair.server.end()
        return pair
    pair = asyncio.run(asyncio.wait_for(run(), 30))
    assert pair.server.invalid == []
    return pair


def _answers(turn: Turn) -> Answer:
    return Answer("one two three four five six seven eight nine ten", SECOND)


async def _turn(pair: StreamPair) -> None:
    await pair.say(400, 500)
    await pair.settle()


@pytest.mark.parametrize("encoding, rate", [(Encoding.L16, 16000), (Encoding.L16, 8000), (Encoding.MULAW, 16000)])
def test_rates_that_the_service_does_not_know(encoding: Encoding, rate: int) -> None:
    with pytest.raises(SettingError, match="l16 of 24000 Hz or mulaw of 8000 Hz"):
        PROTOCOL.carried(Track.INBOUND, encoding, rate)


def test_tracks_that_it_does_not_know() -> None:
    with pytest.raises(SettingError, match="and not the track both: use inbound"):
        PROTOCOL.carried(Track.BOTH, Encoding.L16, 24000)


@pytest.mark.parametrize("metadata, fault", [("[]", "write a JSON object"), ('{"voise":"x"}', "no option voise"),
                                             ('{"format":"pcm"}', "no option format"), ("{", "are no options")])
def test_metadata_that_are_no_options(metadata: str, fault: str) -> None:
    with pytest.raises(SettingError, match=fault):
        PROTOCOL.open(_info(metadata))


@pytest.mark.parametrize("encoding, rate, form", [(Encoding.L16, 24000, "audio/pcm"), (Encoding.MULAW, 8000,
                                                                                       "audio/pcmu")])
def test_the_stream_says_the_format(encoding: Encoding, rate: int, form: str) -> None:
    opening = PROTOCOL.open(_info(None, encoding, rate)).opening()
    assert json.loads(opening[0].head)["session"]["audio"]["input"]["format"]["type"] == form
    template = PROTOCOL.media(_info(None, encoding, rate), Track.INBOUND)
    assert template.is_text and template.encoding is encoding


def test_a_turn_and_its_interruption() -> None:
    async def work(pair: StreamPair) -> None:
        await _turn(pair)
        await pair.say(100)
        await pair.settle()
        await pair.heard(pair.items[0], 400, False)
        await pair.say(0, 500)
    pair = _converse(work, Script(_answers))
    assert pair.all(ClearAudio) and pair.server.errors == []
    assert pair.sent("conversation.item.truncate")[0]["audio_end_ms"] == 400
    lines = [one.payload for one in pair.all(TranscriptionReceived)]
    assert lines[0] == {"speaker": "caller", "text": "what the caller said, 0", "isFinal": True, "is_final": True}
    assert lines[2] == {"speaker": "agent", "text": "one two three four", "isFinal": True, "is_final": True,
                        "interrupted": True, "heardMs": 400}


def test_what_was_heard_of_an_answer_that_is_still_made_counts_when_it_is_interrupted() -> None:
    """The queue was empty then: nothing is cleared, and the stream tells nothing more."""
    async def work(pair: StreamPair) -> None:
        script.pause_seconds = 0.005
        await pair.say(400, 500)
        while not pair.items:
            while pair._waiting:
                await pair.obey(pair.stream.receive(pair._waiting.popleft().encode()))
            await asyncio.sleep(0)
        await pair.heard(pair.items[0], 100, True)
        heard = sum(len(one.audio) for one in pair.all(PlayAudio)) // 48
        await pair.heard(pair.items[0], heard, True)
        await pair.say(100)
        await pair.settle()
        script.pause_seconds = 0.0
    script = Script(_answers)
    pair = _converse(work, script)
    heard = sum(len(one.audio) for one in pair.all(PlayAudio)) // 48
    assert [cut["audio_end_ms"] for cut in pair.sent("conversation.item.truncate")] in ([heard], [])
    assert pair.server.errors == []


def test_an_answer_that_was_heard_is_settled_in_either_order() -> None:
    async def work(pair: StreamPair) -> None:
        await _turn(pair)
        await pair.heard(pair.items[0], 1000, True)
        await pair.say(100)
    assert _converse(work, Script(_answers)).sent("conversation.item.truncate") == []


def test_a_cough() -> None:
    async def work(pair: StreamPair) -> None:
        await pair.say(400, 300)
        await pair.settle()
        await pair.say(60)
        await pair.settle()
        assert pair.told[-2:] == [PausePlayback(True), CallLater("confirm", 0.4)]
        await pair.say(0, 300)
        await pair.settle()
        assert pair.told[-1] == PausePlayback(False)
        await pair.obey(pair.stream.later("confirm"))
        assert pair.told[-1] == PausePlayback(False)
    _converse(work, Script(_answers), confirm_speech_ms=100, turn_detection={"type": "server_vad",
                                                                             "silence_duration_ms": 300})


def test_a_function() -> None:
    async def work(pair: StreamPair) -> None:
        await _turn(pair)
        call, = pair.all(ToolCall)
        assert (call.name, call.arguments) == ("stock", "{}")
        for message in pair.stream.tool_result(call.call_id, '{"left":7}'):
            await pair.server.receive(message.head)
        assert pair.stream.tool_result(call.call_id, "again") == []

    def reply(turn: Turn) -> Answer:
        return Answer(call=("stock", "{}")) if turn.number == 0 else Answer(turn.items[-1].body["output"], SECOND)
    pair = _converse(work, Script(reply), tools=[{"name": "stock"}])
    assert pair.all(TranscriptionReceived)[-1].payload["text"] == '{"left":7}'


def test_a_response_that_fails_is_asked_for_again_a_few_times() -> None:
    async def work(pair: StreamPair) -> None:
        await _turn(pair)
        for _ in range(3):
            assert pair.told[-1] == CallLater("retry", 2.0 ** (len(pair.all(ReportError)) - 1))
            await pair.obey(pair.stream.later("retry"))
            await pair.settle()
    pair = _converse(work, Script(lambda turn: Failure("server_error")))
    assert pair.told[-1] == HangUp() and len(pair.all(ReportError)) == 4


@pytest.mark.parametrize("code, told", [("insufficient_quota", [ReportError("service", "m (insufficient_quota)"),
                                                                HangUp()]),
                                        ("session_expired", [Reconnect()]),
                                        ("odd", [ReportError("service", "m (odd)")])])
def test_errors(code: str, told: list[Incoming]) -> None:
    session = PROTOCOL.open(_info())
    error = json.dumps({"type": "error", "error": {"code": code, "message": "m"}})
    assert session.receive(error.encode()) == told


def test_the_next_connection_knows_what_was_said() -> None:
    async def first(pair: StreamPair) -> None:
        assert pair.told[0] == CallLater("renew", 3300)
        await _turn(pair)
        assert pair.stream.later("renew") == [Reconnect()]
        await pair.say(100)
        await pair.settle()
        assert pair.stream.later("renew") == [CallLater("renew", 0.5)], "somebody speaks"
    before = _converse(first, Script(_answers), greeting="Hello!")

    async def second(pair: StreamPair) -> None:
        pass
    after = _converse(second, session=before.stream.again())
    assert [item.role for item in after.server.items.all] == ["assistant", "user", "assistant"]
    assert after.sent("response.create") == [], "nobody is greeted twice"


def test_the_next_connection_answers_what_the_last_one_owed() -> None:
    async def first(pair: StreamPair) -> None:
        pair.stream.receive(b'{"type":"input_audio_buffer.committed","item_id":"u"}')
        pair.stream.receive(b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"u",'
                            b'"transcript":"Are you there?"}')
    before = _converse(first)

    async def second(pair: StreamPair) -> None:
        pass
    after = _converse(second, Script(_answers), before.stream.again())
    assert len(after.sent("response.create")) == 1 and after.items
