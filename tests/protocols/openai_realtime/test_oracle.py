"""The validation that all other tests rely on refuses what it has to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("openai")

from freeswitch_audio_stream.testing.openai_realtime import check_client_message, check_server_message  # noqa: E402


@pytest.mark.parametrize("message", [
    {"type": "response.create", "colour": "red"},
    {"type": "session.update", "session": {"type": "realtime", "colour": "red"}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": {
        "type": "server_vad", "silence": 5}}}}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"format": {
        "type": "audio/pcm", "rate": 16000}}}}},
    {"type": "session.update", "session": {"modalities": ["audio"], "input_audio_format": "pcm16"}},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": "5"},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [
        {"type": "text", "text": "x"}]}},
])
def test_what_a_client_must_not_send(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_client_message(json.dumps(message))


@pytest.mark.parametrize("message", [
    {"type": "response.audio.delta", "event_id": "e", "response_id": "r", "item_id": "i", "output_index": 0,
     "content_index": 0, "delta": ""},
    {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0,
     "delta": ""},
    {"type": "input_audio_buffer.cleared", "event_id": "e", "colour": "red"},
])
def test_what_a_server_does_not_send(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_server_message(json.dumps(message))
