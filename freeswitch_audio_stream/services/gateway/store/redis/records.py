"""What is kept of a session, as the bytes that Redis has, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Iterable, Mapping, Sequence

import orjson

from ...agents.interface import Line
from ..interface import Delivered, Heard, Input, Opening, SessionState
from ..pieces import Clear, Failure, Piece, Taken, Text

Field = str | bytes | int


def input_fields(inputs: Iterable[Input]) -> list[Field]:
    """Return kind and content of each input: ``a`` audio, ``h`` heard (ms, by poll), ``d`` delivered (bytes, clear)."""
    fields: list[Field] = []
    for one in inputs:
        if isinstance(one, bytes):
            fields += ("a", one)
        elif isinstance(one, Heard):
            fields += ("h", f"{one.milliseconds} {int(one.by_poll)}")
        else:
            fields += ("d", f"{one.audio_bytes} {int(one.clear)}")
    return fields


def read_input(kind: bytes, content: bytes) -> Input:
    """Undo `input_fields` for one input."""
    if kind == b"a":
        return content
    number, flag = content.split()
    return Heard(int(number), flag == b"1") if kind == b"h" else Delivered(int(number), flag == b"1")


def piece_fields(pieces: Iterable[Piece]) -> list[Field]:
    """Return kind and content of each piece: ``a`` audio, ``t`` text, ``f`` failure, ``c`` clear."""
    fields: list[Field] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            fields += ("a", piece)
        elif isinstance(piece, Text):
            fields += ("t", piece.text)
        elif isinstance(piece, Failure):
            fields += ("f", piece.reason)
        elif isinstance(piece, Clear):
            fields += ("c", "")
    return fields


def read_taken(answer: Sequence[Any]) -> Taken:
    """Return what the script ``take`` has answered."""
    audio, transcript, clear, more, error, position = answer
    return Taken(audio, transcript.decode(), clear == 1, more == 1, error.decode(), position)


def opening_text(opening: Opening) -> bytes:
    """Return what a session was created with, in JSON."""
    return orjson.dumps(asdict(opening))


def read_opening(text: bytes) -> Opening:
    """Undo `opening_text`; what another version of this program has added is left out."""
    given = orjson.loads(text)
    return Opening(**{name: given[name] for name in Opening.__dataclass_fields__ if name in given})


def line_texts(lines: Iterable[Line]) -> list[Field]:
    """Return a JSON text of each line."""
    return [orjson.dumps([line.speaker, line.text]) for line in lines]


def read_lines(texts: Iterable[bytes]) -> list[Line]:
    """Undo `line_texts`."""
    return [Line(*orjson.loads(text)) for text in texts]


def action_texts(actions: Iterable[Mapping[str, Any]]) -> list[Field]:
    """Return a JSON text of each action; raise TypeError where one cannot be JSON."""
    return [orjson.dumps(action) for action in actions]


def read_state(values: Sequence[Any]) -> SessionState:
    """Return what the script ``state`` has answered about a session that there is."""
    opening, created, active, error, lines, actions = values
    return SessionState(read_opening(opening), float(created), float(active), read_lines(lines),
                        [orjson.loads(text) for text in actions], error.decode())
