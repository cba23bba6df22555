"""What the server says in the log: cut, in one line, and not too often."""

from __future__ import annotations

from freeswitch_audio_stream.engine.events.message_log import LINES_PER_SECOND, LONGEST_LINE, MessageLog


def test_a_message_is_one_line() -> None:
    lines: list[str] = []
    log = MessageLog(lines.append)
    log.add('{"a": "größer"}')
    log.add("two\r\nlines\0\x1b[31m")
    assert lines == ['response: {"a": "größer"}', "response: two??lines??[31m"]


def test_a_long_message_is_cut() -> None:
    lines: list[str] = []
    MessageLog(lines.append).add("x" * 10_000_000)
    assert lines == ["response: " + "x" * LONGEST_LINE + "… (10000000 characters)"]


def test_a_flood_is_counted() -> None:
    lines: list[str] = []
    now = 7.5
    log = MessageLog(lines.append, lambda: now)
    for number in range(100):
        log.add(str(number))
    assert lines == [f"response: {number}" for number in range(LINES_PER_SECOND)]
    now = 8.0
    log.add("later")
    log.add("last")
    left_out = 100 - LINES_PER_SECOND
    assert lines[LINES_PER_SECOND:] == [f"response ({left_out} before it are left out): later", "response: last"]
