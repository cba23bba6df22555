"""Commands: actions, their words and their answers."""

from __future__ import annotations

import re

import pytest

from freeswitch_audio_stream import commands
from freeswitch_audio_stream.audio import ALL_RATES, RATES, Encoding
from freeswitch_audio_stream.errors import RefusedError

from .code import is_said, keys, pattern
from .pages import Row, plain, section, table, words


def actions_of_the_page() -> dict[str, list[str]]:
    """What the page says of each action, by its name: syntax, meaning and answer, a paragraph each."""
    entries = re.split(r"^### ", section("reference/commands.md", "## Actions"), flags=re.MULTILINE)[1:]
    return {plain(name): text.strip().split("\n\n")
            for name, text in (entry.split("\n", 1) for entry in entries)}


def test_actions() -> None:
    told = actions_of_the_page()
    assert list(told) == [*commands.ACTIONS, "list"]
    for name, (syntax, meaning, answer) in told.items():
        assert plain(syntax) in commands.USAGE
        assert name == plain(syntax).split()[0] and len(meaning) > 5
        assert (answer == "Answer: `+OK Success`") is (name not in ("status", "list"))
    assert is_said("+OK Success")


def test_rates() -> None:
    rate = next(row[1] for row in table("Word", "Meaning") if row[0] == "rate")
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", rate)] == list(RATES)
    for word in (*re.findall(r"\b\d{4,5}\b", rate), *words(rate)):
        assert commands.parse(f"u s start ws://h both {word} 0 0")
    play = next(row[2] for row in table("Event", "Fields", "What it does") if "media.play" in row[0])
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", play)] == list(ALL_RATES)
    binary = next(row[3] for row in table("Variable", "Setting") if "STREAM_SAMPLE_RATE" in row[0])
    assert [int(number) for number in re.findall(r"\b\d{4,5}\b", binary)] == list(ALL_RATES)


def test_codecs() -> None:
    codec = next(row[1] for row in table("Word", "Meaning") if row[0] == "codec")
    for word in words(codec):
        start = commands.parse(f"u s start ws://h both {word} 8k 0 0")
        assert isinstance(start, commands.Start)
        assert start.encoding is (Encoding.L16 if "16" in word else Encoding.MULAW)


def test_status() -> None:
    assert [plain(row[0]) for row in table("Key of status", "Meaning")] == keys("events/lifecycle", "status")


@pytest.mark.parametrize("row", table("Answer", "What to do"), ids=lambda row: plain(row[0])[:40])
def test_answers_are_given_somewhere(row: Row) -> None:
    assert is_said(words(row[0])[0])


@pytest.mark.parametrize("line", [
    "u s start ftp://h both 8k 5 1", "u s start ws://h left 8k 5 1", "u s start ws://h both 11025 5 1",
    "u s start ws://h both 8k -1 1", "u s start ws://h both 8k 5 2", "u s start ws://h both 8k 5 1 {oops",
    f"u {257 * 's'} status", f"u {chr(0xDC80)} status",
    "u s start {chunk-ms=20 ws://h both 8k 5 1", "u s start {chunk-ms}ws://h both 8k 5 1",
    "u start http://h mono", "u start ws://h both", "u start ws://h mono 64k", "u start ws://h mono {}",
    "u s external_media_start ws://h", "u s external_media_start ws://h g729",
    "u s external_media_start audiosocket://h:1 rtp", "u s external_media_start []",
    'u s external_media_start {"url":1}',
], ids=ascii)
def test_answers_to_wrong_commands_are_listed(line: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        commands.parse(line)
    answers = [words(row[0])[0] for row in table("Answer", "What to do")]
    assert len([answer for answer in answers if re.fullmatch(pattern(answer), str(refusal.value))]) == 1
