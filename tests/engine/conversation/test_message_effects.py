"""Whatever a protocol may make of a server's message, something comes of it."""

from __future__ import annotations

from typing import Any, get_args

from freeswitch_audio_stream.engine.conversation.message_effects import (MessageEffects, on_the_application,
                                                                         on_the_caller, on_the_connection)
from freeswitch_audio_stream.protocols.messages import Incoming

NOBODY: Any = None  # the tables are made, and nothing is done


def test_every_noun_has_one_effect() -> None:
    parts = (on_the_caller(NOBODY, NOBODY, NOBODY), on_the_application(NOBODY, NOBODY, NOBODY),
             on_the_connection(NOBODY, NOBODY, NOBODY, NOBODY))
    table = MessageEffects(NOBODY, NOBODY, NOBODY, *parts).table
    assert set(table) == set(get_args(Incoming))
    assert sum(map(len, parts)) + 1 == len(table)
