"""What waits for the caller: audio, lines of the transcript, and orders to clear; and what one answer takes of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Deque, Iterable, Union


class Clear:
    """The caller is to hear nothing more of what came before."""


@dataclass(frozen=True)
class Text:
    """A line of the transcript as clients get it, such as ``[AI]: Hello``."""

    text: str


@dataclass(frozen=True)
class Failure:
    """The agent cannot go on; this stays the last piece for ever."""

    reason: str


Piece = Union[bytes, Text, Clear, Failure]


@dataclass(frozen=True)
class Taken:
    """What one answer carries."""

    audio: bytes = b""
    transcript: str = ""
    clear: bool = False
    has_more: bool = False
    error: str = ""
    """Why the agent cannot go on: there is nothing else in this answer, nor will there be."""
    position: int = 0
    """Of the last piece in it."""

    @property
    def is_empty(self) -> bool:
        return not (self.audio or self.transcript or self.clear or self.error)


class PieceQueue:
    """The pieces of a session, numbered from 1."""

    def __init__(self, piece_bytes: int, most_bytes: int) -> None:
        self._pieces: Deque[tuple[int, Piece]] = deque()
        self._piece_bytes, self._most_bytes = piece_bytes, most_bytes
        self._last = 0
        self._delivered = 0
        """The highest number that an answer has carried."""
        self.audio_bytes = 0
        self.dropped_bytes = 0

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add pieces in order. Audio is cut into what an answer takes; an order to clear removes what was not
        delivered.
        """
        for piece in pieces:
            if isinstance(piece, Clear):
                self._clear()
            if isinstance(piece, bytes):
                self._add_audio(piece)
            else:
                self._append(piece)

    def take(self, received: int | None) -> tuple[Taken, int]:
        """Return what an answer carries, and how many bytes of audio in it no other answer has carried."""
        if received is not None:
            while self._pieces and self._pieces[0][0] <= received:
                self._pop()
        audio, transcript, clear, error, count, fresh = bytearray(), "", False, "", 0, 0
        for number, piece in self._pieces:
            if isinstance(piece, bytes):
                if audio and len(audio) + len(piece) > self._piece_bytes:
                    break
                audio += piece
                fresh += len(piece) if number > self._delivered else 0
            elif isinstance(piece, Text):
                if transcript:
                    break
                transcript = piece.text
            elif count:
                break
            elif isinstance(piece, Failure):
                return Taken(error=piece.reason), 0
            else:
                clear = True
            count += 1
        position = self._pieces[count - 1][0] if count else max(received or 0, self._delivered)
        taken = Taken(bytes(audio), transcript, clear, len(self._pieces) > count, error, position)
        self._delivered = max(self._delivered, position)
        if received is None:
            for _ in range(count):
                self._pop()
        return taken, fresh

    def _pop(self) -> None:
        _, piece = self._pieces.popleft()
        if isinstance(piece, bytes):
            self.audio_bytes -= len(piece)

    def _append(self, piece: Piece) -> None:
        self._last += 1
        self._pieces.append((self._last, piece))

    def _add_audio(self, audio: bytes) -> None:
        room = max(0, self._most_bytes - self.audio_bytes) // 2 * 2
        self.dropped_bytes += max(0, len(audio) - room)
        for begin in range(0, min(len(audio), room), self._piece_bytes):
            part = audio[begin:min(begin + self._piece_bytes, room)]
            self.audio_bytes += len(part)
            self._append(part)

    def _clear(self) -> None:
        """Audio that was delivered stays for who asks for it again, and so does all text."""
        kept = [(number, piece) for number, piece in self._pieces
                if number <= self._delivered or isinstance(piece, (Text, Failure))]
        self._pieces = deque(kept)
        self.audio_bytes = sum(len(piece) for _, piece in kept if isinstance(piece, bytes))
