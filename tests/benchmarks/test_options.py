"""The command line: what it makes of words, and what it says to wrong ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from freeswitch_audio_stream.benchmarks.options import RESAMPLER, SUBCOMMANDS, parse
from freeswitch_audio_stream.benchmarks.work import FORMATS, GOAL_WORKS, PEER_START, Work
from freeswitch_audio_stream.protocols import ENCAPSULATIONS


@pytest.mark.parametrize("command", [command.name for command in SUBCOMMANDS])
def test_every_subcommand_has_defaults_of_its_own(command: str) -> None:
    options = parse([command])
    assert options.command == command and options.works and options.streams and options.rounds >= 1
    assert options.peer_module is None and options.against == PEER_START and not options.embedded


def test_every_combination_is_measured() -> None:
    options = parse(["cost", "--formats", "json,mulaw", "--ways", "two", "--rates", "8000,16000>48000",
                     "--transports", "ws,wss", "--streams", "1,4000"])
    assert set(options.works) == {Work(form, True, call, wire, tls) for form in ("json", "mulaw")
                                  for call, wire in ((8000, 8000), (16000, 48000)) for tls in (False, True)}
    assert len(options.works) == 8 and options.streams == (1, 4000)


def test_cost_measures_everything_there_is_unless_told_otherwise() -> None:
    works = parse(["cost"]).works
    assert len(works) == len(set(works)) == 3 * 2 * 2 * 2
    assert set(GOAL_WORKS) <= set(works)
    assert parse(["cost", "--goals"]).works == GOAL_WORKS


def test_clients_attach_with_encapsulations_alone() -> None:
    works = parse(["cost", "--transports", "ws,attached", "--ways", "one"]).works
    assert set(works) == {*(Work(form, False, 8000, rate) for form in FORMATS for rate in (8000, 16000)),
                          *(Work(form, False, 8000, 8000, attached=True) for form in ENCAPSULATIONS)}


def test_the_resampler_needs_no_switch() -> None:
    options = parse([RESAMPLER])
    assert options.works == () and options.json is None


def test_files_are_looked_for_before_anything_is_measured(tmp_path: Path) -> None:
    module = tmp_path / "peer.so"
    module.touch()
    options = parse(["start", "--peer-module", str(module), "--against", "go {uuid} {url}", "--json",
                     str(tmp_path / "new.json"), "--freeswitch", str(tmp_path)])
    assert options.peer_module == module and options.against == "go {uuid} {url}"
    assert options.json == tmp_path / "new.json" and options.freeswitch == tmp_path


@pytest.mark.parametrize("words, sentence", [
    (["cost", "--streams", "0"], "'0' is not a number from 1 to 4000"),
    (["cost", "--streams", "4001"], "'4001' is not a number from 1 to 4000"),
    (["cost", "--streams", "1,,2"], "'' is not a number"),
    (["cost", "--rounds", "0"], "'0' is not a number above 0"),
    (["cost", "--seconds", "nan"], "'nan' is not a number of seconds"),
    (["cost", "--seconds", "-1"], "'-1' is not a number of seconds"),
    (["cost", "--formats", "binary,opus"], "'opus' is not one of binary, json, mulaw"),
    (["cost", "--transports", "http"], "'http' is not one of ws, wss"),
    (["latency", "--transports", "attached"], "'attached' is not one of ws, wss"),
    (["cost", "--transports", "attached", "--formats", "json"], "--transports attached leaves one with nothing to do"),
    (["cost", "--transports", "ws,attached", "--formats", "rtp"], "attached has the formats rtp, sln, audiosocket at "),
    (["cost", "--transports", "attached", "--rates", "8000>16000"], "leaves one with nothing to do"),
    (["cost", "--ways", ""], "'' is not one of one, two"),
    (["cost", "--rates", "44100"], "calls have multiples of 8000 Hz"),
    (["cost", "--rates", "8000>12345"], "is not HZ or HZ>HZ"),
    (["cost", "--rates", "high"], "'high' is not HZ or HZ>HZ"),
    (["stall", "--busy-threads", "-1"], "'-1' is not a number"),
    (["memory", "--churn", "many"], "'many' is not a number"),
    (["cost", "--peer-module", "/nowhere/mod.so"], "'/nowhere/mod.so' is not a file"),
    (["cost", "--against", "x"], "--against needs --peer-module"),
    (["cost", "--freeswitch", "/nowhere"], "'/nowhere' is not a folder"),
    (["cost", "--json", "/nowhere/file.json"], "there is no folder /nowhere"),
    (["stall", "--peer-module", __file__], "unrecognized arguments"),
    (["cost", "--peer-module", __file__, "--against", "go {channel}"], "--against may have {uuid}, {url} and {rate}"),
    (["cost", "--peer-module", __file__, "--against", "go {uuid"], "--against may have {uuid}, {url} and {rate}"),
    ([], "required: COMMAND"),
])
def test_a_wrong_word_is_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_plot_without_matplotlib_is_refused_at_once(monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        parse(["cost", "--plot", "cost.png"])
    assert "matplotlib is missing: install it" in capsys.readouterr().err
