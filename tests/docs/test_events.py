"""Events: names, fields, reasons, kinds of errors and statistics."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any, cast

from freeswitch_audio_stream.engine import end_reason
from freeswitch_audio_stream.engine.events.packet_report import PacketReport
from freeswitch_audio_stream.engine.events.reports import EVENTS, MODULE, Reporter
from freeswitch_audio_stream.realtime.counters import Packets

from .code import calls, first_texts, keys, texts, trees
from .pages import pages, plain, table, words


def fields_of_events() -> dict[str, set[str]]:
    fields: dict[str, set[str]] = {name: set() for name in EVENTS}
    for call in calls("fire", "engine"):
        for name in texts(call.args[0]):
            fields[name] |= {keyword.arg for keyword in call.keywords if keyword.arg} - {"timestamp"}
    return fields


def test_events() -> None:
    rows = table("Event", "Fires when", "Fields")
    assert [plain(row[0]) for row in rows] == list(EVENTS)
    assert {plain(row[0]): set(words(row[2])) for row in rows} == fields_of_events()


def test_reasons() -> None:
    rows = table("Reason", "Cause", "`reason` on the wire")
    ends_of_calls = {text for node in trees("module.py")
                     if isinstance(node, ast.FunctionDef) and node.name == "end_reason"
                     for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value
                     for text in texts(inner.value)}
    used = (first_texts("finish", "engine") | first_texts("stop", "engine") | first_texts("set_reason", "engine")
            | ends_of_calls)
    assert {plain(row[0]) for row in rows} == used
    assert {plain(row[0]): words(row[2])[0] for row in rows if words(row[2])} == end_reason.WIRE_REASONS


def test_kinds_of_errors() -> None:
    # The checks of what protocols share report a fault under the kind they are given.
    checks = ("MessageError", "ReportError", "checkpoint_name", "from_base64", "whole_samples",
              "check_writable", "member")
    used = first_texts("error", "engine").union(*(first_texts(check, "protocols") for check in checks))
    assert {kind for row in table("Kind", "Cause") for kind in words(row[0])} == used


def test_statistics() -> None:
    told = [plain(row[0]) for row in table("Key of statistics", "Meaning")]
    assert told == keys("events/stream_statistics", "fields")


def test_statistics_of_rtp() -> None:
    path_of_rtp: Any = SimpleNamespace(format=SimpleNamespace(encapsulation="rtp"),
                                       packets=lambda: Packets(*range(5)))
    counters = PacketReport(path_of_rtp, Reporter(cast(Any, None), "s")).statistics()
    assert [plain(row[0]) for row in table("Key of RTP statistics", "Meaning")] == list(counters)
    assert list(counters.values()) == [*range(5)]


def test_the_module_is_named_as_it_is() -> None:
    assert f"`Event-Subclass: {MODULE}::<name>`" in pages()["reference/events.md"]
