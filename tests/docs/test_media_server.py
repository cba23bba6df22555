"""The media server: routes, refusals, tokens and what makes calls."""

from __future__ import annotations

import ast

import pytest

from freeswitch_audio_stream.commands import tokens

from .code import trees
from .pages import plain, table, words


def test_routes_and_refusals_of_the_media_server() -> None:
    app = pytest.importorskip("freeswitch_audio_stream.http_api.app")
    routes = [words(row[0])[0] for row in table("Route", "What it does")]
    made = {f"{node.func.attr.upper()} {node.args[0].value}" for node in trees("http_api/app.py")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "post")
            and node.args and isinstance(node.args[0], ast.Constant) and str(node.args[0].value).startswith("/")}
    assert set(routes) == made
    statuses = {int(row[0]) for row in table("Status", "When")}
    assert statuses == {400, *app._REFUSALS, *app._CALL_REFUSALS}


def test_commands_that_make_tokens() -> None:
    rows = table("Token command", "What it does", "Answers")
    call, conference = (words(row[0])[0] for row in rows)
    assert f"{call} | {conference.removeprefix('uuid_audio_stream ')}" == tokens.USAGE
    assert str(tokens.LONGEST_SECONDS) in rows[0][1]


def test_fields_of_the_body_that_makes_calls() -> None:
    requests = pytest.importorskip("freeswitch_audio_stream.http_api.calls")
    rows = table("Field of the body", "Meaning")
    assert [plain(row[0]) for row in rows] == list(requests.CallRequest.model_fields)
    assert set(requests.ACTIONS) <= set(words(rows[2][1]))
