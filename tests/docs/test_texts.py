"""Texts that users may see: those of the pages are those of the code, and none is left out."""

from __future__ import annotations

import re

import pytest

from .code import is_said, pattern, raised_texts
from .pages import Row, plain, table, words

TO_CLIENTS = {
    # Answers of the HTTP server, where each status has its row; see test_media_server.
    "the call has no media: it is not answered yet, or its audio does not pass through FreeSWITCH",
    "… clients are attached already: raise media-server-max-clients in audio_stream.conf.xml, or come back later",
    "… clients are attached to it already: raise media-server-max-clients-per-call in audio_stream.conf.xml, or come "
    "back later",
}
BEFORE_CONNECTING = {
    # A command that would lead to these is refused, by an answer that is listed.
    "the URL names no host", "the URL has no port: write audiosocket://host:port",
    "the URL is not a ws://, wss://, http://, https:// or audiosocket:// one with a valid port",
    "a header, or the API key, holds a line end: remove it",
    "a header, or the subprotocol, holds a line end: remove it",
    # Nobody is left to be told: the stream has ended.
    "the connection to … was given up before it was made",
}


def unlisted(said: set[str], rows: list[str]) -> set[str]:
    """The texts that no row stands for."""
    return {text for text in said if not any(re.fullmatch(pattern(row), text) for row in rows)}


@pytest.mark.parametrize("row", table("Text", "Do") + table("The log says", "Do"),
                         ids=lambda row: plain(row[0])[:40])
def test_texts_of_troubleshooting_are_told_somewhere(row: Row) -> None:
    assert is_said(plain(row[0]))


def test_every_refusal_of_a_command_is_listed() -> None:
    said = raised_texts(("RefusedError", "CallNotFound", "MediaNotFound", "CapacityRefused"),
                        "commands", "engine", "module.py", "interface.py", "loader.py")
    assert len(said) > 35 and TO_CLIENTS <= said
    assert unlisted(said, [words(row[0])[0] for row in table("Answer", "What to do")]) == TO_CLIENTS


@pytest.mark.slow
def test_everything_that_stands_in_the_way_of_a_connection_is_listed() -> None:
    said = raised_texts(("ConnectError", "ConnectTimeout", "HostNotFound", "ConnectionRefused", "TlsRefused",
                         "TlsFileRefused", "HandshakeRefused"), "transports", "engine")
    assert len(said) > 20 and BEFORE_CONNECTING <= said
    assert unlisted(said, [words(row[0])[0] for row in table("Text", "Do")]) == BEFORE_CONNECTING
