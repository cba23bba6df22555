"""The session of the Realtime protocol against the local server, message by message, each validated."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.errors import MessageError  # noqa: E402
from freeswitch_audio_stream.protocols.messages import ClearAudio, PlayAudio  # noqa: E402
from freeswitch_audio_stream.protocols.openai_realtime import (AudioFinished, FunctionCall, History,  # noqa: E402
                                                               HoldAudio, Interrupted, RealtimeSession, Refused,
                                                               ReleaseAudio, RetryResponse, Said, SessionExpired,
                                                               Trouble, read_options)
from freeswitch_audio_stream.testing.openai_realtime import Failure, Reply, Script, Turn  # noqa: E402

from .pair import Pair, converse  # noqa: E402

SECOND = np.ones(24000, np.int16)
CONFIRMING = {"confirm_speech_ms": 100, "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}


def _answers(turn: Turn) -> Reply:
    return Reply(f"Answer {turn.number}.", SECOND)


@pytest.mark.parametrize("options, form", [
    ({"format": "pcm", "speed": 1.25, "noise_reduction": "far_field", "max_output_tokens": 100, "transcription": None,
      "turn_detection": {"type": "semantic_vad", "eagerness": "low"}}, "audio/pcm"),
    ({"format": "pcmu", "instructions": "Be brief.", "tool_choice": "required", "interruptible": False, "tools": [
        {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}]}, "audio/pcmu"),
    ({"format": "pcma", "voice": "cedar", "transcription": {"model": "whisper-1", "language": "it", "prompt": "x"},
      "turn_detection": {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 100, "silence_duration_ms": 300,
                         "idle_timeout_ms": 6000}}, "audio/pcma"),
])
def test_all_options_are_such_of_the_protocol(options: dict[str, Any], form: str) -> None:
    pair = converse(Pair.open, **options)
    session = pair.sent("session.update")[0]["session"]
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {
        "type": form, **({"rate": 24000} if form == "audio/pcm" else {})}


def test_a_turn() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        assert pair.session.is_quiet
        await pair.say(400)
        await pair.settle()
        assert not pair.session.is_quiet and pair.session.needs_audio
        await pair.say(0, 500)
        await pair.settle()
        assert pair.session.is_quiet and not pair.session.needs_audio
    pair = converse(work, Script(_answers))
    item = pair.of(AudioFinished)[0].item
    assert pair.played_ms == {item: 1000}
    assert pair.of(Said) == [Said(True, "what the caller said, 0"), Said(False, "Answer 0.")]
    assert [entry["role"] for entry in pair.session.history.items()] == ["user", "assistant"]


def test_lines_come_in_the_order_in_which_they_were_said() -> None:
    """What the caller said is written down after the answer has come."""
    session = RealtimeSession(read_options({}), History())

    def receive(kind: str, **fields: Any) -> list[Any]:
        return session.receive(json.dumps({"type": kind, **fields}))
    receive("input_audio_buffer.committed", item_id="u1")
    receive("response.created", response={"id": "r1"})
    where = {"item_id": "a1", "response_id": "r1"}
    assert receive("response.output_audio_transcript.done", transcript="Yes.", **where) == []
    done = "conversation.item.input_audio_transcription.completed"
    assert receive(done, item_id="u1", transcript="Is it? ") == [Said(True, "Is it?"), Said(False, "Yes.")]
    receive("input_audio_buffer.committed", item_id="u2")
    receive("response.output_audio_transcript.done", transcript="No.", item_id="a2", response_id="r1")
    assert receive("input_audio_buffer.committed", item_id="u3")[1:] == [Said(False, "No.")], "that is all the waiting"
    assert receive(done, item_id="u2", transcript="Late.") == [Said(True, "Late.")]


def test_speech_that_cannot_be_written_down_holds_nothing_up() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
    pair = converse(work, Script(_answers, transcribes=False))
    assert pair.of(Said) == [Said(False, "Answer 0.")] and pair.session.is_quiet
    assert pair.of(Trouble) == [Trouble("what the caller said was not written down: It cannot be understood. "
                                        "(audio_unintelligible)")]


@pytest.mark.parametrize("heard, kind", [(400, "conversation.item.truncate"), (0, "conversation.item.delete")])
def test_an_interrupted_answer_is_cut_at_what_was_heard(heard: int, kind: str) -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        await pair.settle()
        await pair.say(100)
        await pair.settle()
        assert pair.of(ClearAudio)
        item = pair.of(AudioFinished)[0].item
        await pair.carry_out(pair.session.heard(item, heard, False))
        assert pair.session.heard(item, heard, False) == [], "only once"
    pair = converse(work, Script(lambda turn: Reply("one two three four five six seven eight nine ten", SECOND)))
    cut, = pair.sent(kind)
    assert pair.server.errors == [] and cut.get("audio_end_ms", 0) == heard
    text = "one two three four" if heard else ""
    assert pair.of(Interrupted) == [Interrupted(cut["item_id"], heard, text)]
    assert [entry["content"][0]["text"] for entry in pair.session.history.items()][1:] == list(filter(None, [text]))


def test_no_more_is_truncated_than_there_is() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        await pair.settle()
        await pair.carry_out(pair.session.heard(pair.of(AudioFinished)[0].item, 5000, False))
    assert converse(work, Script(_answers)).sent("conversation.item.truncate")[0]["audio_end_ms"] == 1000


def test_what_comes_of_an_interrupted_response_is_dropped() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        await pair.server.receive(pair.session.audio(b""))
        while not pair.of(PlayAudio):
            for _ in range(len(pair._waiting)):
                await pair.carry_out(pair.session.receive(pair._waiting.popleft()))
                if pair.of(PlayAudio):
                    break
            await asyncio.sleep(0)
        item = pair.of(PlayAudio)[0].item
        await pair.carry_out(pair.session.receive(json.dumps(
            {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "u"})))
        await pair.carry_out(pair.session.heard(item, 60, False))
        assert not pair.sent("conversation.item.truncate"), "it is told when the response is done"
    pair = converse(work, Script(_answers))
    assert pair.sent("conversation.item.truncate")[0]["audio_end_ms"] == 60
    assert sum(pair.played_ms.values()) == 100 and pair.of(AudioFinished) == []


def test_who_cannot_interrupt_is_not_let() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        await pair.settle()
        await pair.say(400)
    pair = converse(work, Script(_answers), interruptible=False)
    assert pair.of(ClearAudio) == []


def test_a_cough_is_taken_back() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 300)
        await pair.settle()
        await pair.say(60)
        await pair.settle()
        assert pair.of(HoldAudio) == [HoldAudio(400)]
        await pair.say(0, 300)
        await pair.settle()
        assert len(pair.of(ReleaseAudio)) == 1
        assert pair.session.confirm() == [], "it is too late"
    pair = converse(work, Script(_answers), **CONFIRMING)
    assert [item.role for item in pair.server.removed] == ["user"] and pair.server.errors == []
    assert len(pair.sent("response.create")) == 1 and len(pair.session.history) == 2


def test_speech_is_confirmed_and_then_answered() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 300)
        await pair.settle()
        item = pair.of(AudioFinished)[0].item
        await pair.say(200)
        await pair.settle()
        before = len(pair.of(ClearAudio))
        await pair.carry_out(pair.session.confirm())
        assert len(pair.of(ClearAudio)) == before + 1
        await pair.carry_out(pair.session.heard(item, 500, False))
        await pair.say(200, 300)
    pair = converse(work, Script(_answers), **CONFIRMING)
    assert len(pair.sent("response.create")) == 2 and pair.sent("response.cancel") == []
    assert len(pair.sent("conversation.item.truncate")) == 1 and pair.server.errors == []


def test_a_short_word_counts_while_nobody_speaks() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(60, 300)
    pair = converse(work, Script(_answers), **CONFIRMING)
    assert pair.of(HoldAudio) == [] and sum(pair.played_ms.values()) == 1000


def test_a_response_is_asked_for_again_when_the_one_being_made_is_done() -> None:
    """``conversation_already_has_active_response``"""
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)  # which the server answers by itself; we do not know it yet, and ask for one
        await asyncio.sleep(0)
        await pair.carry_out(list(pair.session._responses.want()))
    pair = converse(work, Script(_answers))
    assert pair.server.errors == ["conversation_already_has_active_response"]
    assert len(pair.sent("response.create")) == 2 and sorted(pair.played_ms.values()) == [1000, 1000]


def test_what_was_asked_for_as_the_caller_began_to_speak_is_cancelled() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(100)
        await pair.carry_out(list(pair.session._responses.ask()))
        await pair.settle()
    pair = converse(work, Script(_answers))
    assert len(pair.sent("response.cancel")) == 1 and pair.played_ms == {}


def _calls(turn: Turn) -> Reply:
    if turn.items[-1].role == "function_call_output":
        return Reply("There are 7.", SECOND)
    return Reply(call=("stock", '{"article":"tea"}'))


def test_a_function_call_and_its_answer() -> None:
    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        await pair.settle()
        call, = pair.of(FunctionCall)
        assert (call.name, call.arguments) == ("stock", '{"article":"tea"}') and not pair.session.is_quiet
        await pair.carry_out(pair.session.answer(call.call_id, "7"))
        assert pair.session.answer(call.call_id, "7") == [], "it was answered"
    pair = converse(work, Script(_calls))
    assert sum(pair.played_ms.values()) == 1000 and pair.server.errors == []
    assert [entry["type"] for entry in pair.session.history.items()] == [
        "message", "function_call", "function_call_output", "message"]


def test_a_function_is_answered_in_the_session_after() -> None:
    history = History()

    async def first(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
    before = converse(first, Script(_calls), history)
    call, = before.of(FunctionCall)

    async def second(pair: Pair) -> None:
        await pair.open()
        await pair.carry_out(pair.session.answer(call.call_id, "7"))
    after = converse(second, Script(_calls), history)
    assert [item.role for item in after.server.items.all] == ["user", "function_call", "function_call_output",
                                                              "assistant"]
    assert sum(after.played_ms.values()) == 1000 and after.server.errors == []


def test_an_answer_of_the_session_before_is_replaced_by_what_was_heard() -> None:
    history = History()

    async def first(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
    before = converse(first, Script(lambda turn: Reply("one two three four", SECOND)), history)
    item = before.of(AudioFinished)[0].item

    async def second(pair: Pair) -> None:
        await pair.open()
        await pair.carry_out(pair.session.heard(item, 600, False))
    after = converse(second, history=history)
    assert [one.text for one in after.server.items.all] == ["what the caller said, 0", "one two"]
    assert after.server.errors == [] and after.of(Interrupted)[0].text == "one two"


def test_a_session_greets_only_in_a_new_conversation() -> None:
    assert len(converse(Pair.open, Script(_answers), greeting="Hello!").sent("response.create")) == 1
    told = History([(True, "Hi."), (False, "Hello!")])
    assert converse(Pair.open, Script(_answers), told, greeting="Hello!").sent("response.create") == []


def test_what_is_told_when_the_connection_is_lost() -> None:
    session = RealtimeSession(read_options({}), History())
    for message in ({"type": "input_audio_buffer.committed", "item_id": "u"},
                    {"type": "response.created", "response": {"id": "r"}},
                    {"type": "response.output_audio_transcript.delta", "item_id": "a", "response_id": "r",
                     "delta": "Half a "},
                    {"type": "response.output_audio.delta", "item_id": "a", "response_id": "r", "delta": "AAAA"}):
        session.receive(json.dumps(message))
    assert session.owes_answer
    assert session.lost() == [AudioFinished("a"), Said(False, "Half a")]


@pytest.mark.parametrize("error, kind", [
    ({"code": "insufficient_quota", "message": "m"}, Refused),
    ({"type": "authentication_error", "message": "m"}, Refused),
    ({"event_id": "options", "message": "no such voice"}, Refused), ({"code": "session_expired"}, SessionExpired),
    ({"code": "something_new", "message": "m"}, Trouble)])
def test_errors_are_told_apart(error: dict[str, Any], kind: type) -> None:
    session = RealtimeSession(read_options({}), History())
    event, = session.receive(json.dumps({"type": "error", "error": error}))
    assert isinstance(event, kind)


def test_a_failed_response_is_tried_again_and_a_final_one_is_not() -> None:
    replies: list[Any] = [Failure("server_error"), Failure("rate_limit_exceeded"), Failure("insufficient_quota")]

    async def work(pair: Pair) -> None:
        await pair.open()
        await pair.say(400, 500)
        for _ in replies[1:]:
            await pair.settle()
            await pair.carry_out(pair.session.retry())
    pair = converse(work, Script(lambda turn: replies[turn.number]))
    assert [event.attempt for event in pair.of(RetryResponse)] == [1, 2] and len(pair.of(Refused)) == 1
    assert pair.session.retry() == []


@pytest.mark.parametrize("message", [
    b"", b"[]", b"{}", b'{"type":1}', b'{"type":"response.output_audio.delta"}', b'{"type":"error","error":[]}',
    b'{"type":"response.created","response":{}}', b'{"type":"conversation.item.added","item":{"type":"message",'
    b'"role":"user"}}', b'{"type":"response.output_audio.delta","item_id":"a","response_id":"r","delta":"?"}'])
def test_what_is_not_of_the_protocol_is_refused(message: bytes) -> None:
    with pytest.raises(MessageError):
        RealtimeSession(read_options({}), History()).receive(message)


def test_messages_that_are_not_known_are_passed_over() -> None:
    assert RealtimeSession(read_options({}), History()).receive(b'{"type":"mcp_list_tools.completed"}') == []


def test_samples_that_are_cut_in_two_are_put_together() -> None:
    session = RealtimeSession(read_options({}), History())
    played = []
    for delta in ("AQ==", "AgM=", "BA=="):
        played += session.receive(json.dumps({"type": "response.output_audio.delta", "item_id": "a", "response_id": "r",
                                              "delta": delta}))
    assert b"".join(event.audio for event in played if isinstance(event, PlayAudio)) == b"\1\2\3\4"


@pytest.mark.parametrize("given, fault", [
    ({"voise": "x"}, "no option voise: use model, voice"), ({"model": ""}, "model: write a text that is not empty"),
    ({"format": "opus"}, "format: write one of pcm, pcmu, pcma"), ({"speed": 3}, "speed: write a number from 0.25"),
    ({"turn_detection": None}, "turn_detection: write an object"), ({"interruptible": 1}, "write true or false"),
    ({"turn_detection": {"type": "server_vad", "silence_ms": 1}}, "turn_detection: write an object"),
    ({"turn_detection": {"type": "server_vad", "threshold": 2}}, "a number from 0 to 1"),
    ({"transcription": {"language": "de"}}, "transcription: write null"), ({"tools": {}}, "tools: write a list"),
    ({"tools": [{"name": "a"}, {"name": "a"}]}, "two tools have the same name"),
    ({"tools": [{"name": "a", "parameters": 1}]}, "the tool a has a description, which is a text"),
    ({"confirm_speech_ms": 100, "turn_detection": {"type": "semantic_vad"}}, "confirm_speech_ms needs"),
])
def test_options_that_cannot_be(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_options(given)
