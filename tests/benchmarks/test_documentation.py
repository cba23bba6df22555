"""What the documentation says of the benchmark is so."""

from __future__ import annotations

import re

import pytest

from freeswitch_audio_stream.benchmarks.options import (CLEAR, GATEWAY, HTTP, PROTOCOL_COST, RECORDER, RESAMPLER,
                                                        SUBCOMMANDS, WAYS, parse)
from freeswitch_audio_stream.benchmarks.work import ATTACHED, FORMATS, GOAL_WORKS, PEER_START, TRANSPORTS, peer_module
from freeswitch_audio_stream.protocols import ENCAPSULATIONS

from ..docs.pages import blocks, pages, table, words

TEXT = pages()["reference/benchmarks.md"]
NAMED = words(re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE))


def test_subcommands_and_their_defaults() -> None:
    rows = table("Command of bench")
    known = [*(command.name for command in SUBCOMMANDS), RESAMPLER, GATEWAY, RECORDER, PROTOCOL_COST, CLEAR, HTTP]
    assert [words(row[0]) for row in rows] == [[name] for name in known]
    for row, command in zip(rows, SUBCOMMANDS):
        assert row[2:] == [str(command.streams[0]), f"{command.seconds:g}", str(command.rounds)]


def test_options_and_their_values() -> None:
    rows = {words(row[0])[0]: words(row[1]) for row in table("Option of bench")}
    assert rows["--formats"] == [*FORMATS, *ENCAPSULATIONS] and rows["--ways"] == list(WAYS)
    assert rows["--transports"] == [*TRANSPORTS, ATTACHED]
    assert parse(["cost", "--rates", ",".join(rows["--rates"])]).works


def test_its_command_lines_are_understood() -> None:
    lines = [line for block in blocks("sh", TEXT) for line in block.splitlines()]
    assert lines
    for line in lines:
        arguments = line.split()
        assert arguments.pop(0) == "./scripts/bench"
        options = parse([__file__ if word.endswith(".so") else word for word in arguments])
        assert options.works == GOAL_WORKS or all(work.attached for work in options.works)


def test_the_peer_is_addressed_as_described() -> None:
    assert PEER_START in NAMED
    assert set(peer_module(PEER_START).variables) <= set(NAMED)


def test_every_option_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("cost", "latency", GATEWAY, RECORDER):
        with pytest.raises(SystemExit):
            parse([command, "--help"])
    known = capsys.readouterr().out
    named = set(re.findall(r"--[a-z-]+", " ".join(NAMED)))
    assert {"--json", "--plot", "--goals", "--against"} <= named
    assert all(re.search(rf"{name}\b", known) for name in named)
