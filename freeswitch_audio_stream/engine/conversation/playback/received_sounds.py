"""Audio that comes as files for the application, and to the caller where that is wanted, which needs no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from ....protocols.messages import StreamAudio
from ...call import Call
from ...events.message_log import MessageLog
from ...events.reports import Reporter
from ...plan.plan import Plan
from .decoding import samples_of
from .player import Player
from .sound_files import SoundFiles, explain


class ReceivedSounds:
    """Of one stream; only on its dispatcher."""

    def __init__(self, plan: Plan, call: Call, sounds: SoundFiles, player: Player, reporter: Reporter,
                 log: MessageLog | None) -> None:
        """`sounds` writes the files of all streams; `log`, if any, has a line for each."""
        self._plan = plan
        self._call = call
        self._sounds = sounds
        self._files = sounds.of_stream(call.uuid, plan.info.stream_id)
        self._player = player
        self._reporter = reporter
        self._log = log
        self._file_error = ""

    def take(self, message: StreamAudio) -> None:
        """Write the file, tell of it, and play it; raise MessageError if it cannot be decoded."""
        file = self._write(message)
        # Who only waits for files reads the name in each such event: no file, no event.
        if file is not None or self._plan.plays:
            self._tell({**message.fields, **({"file": str(file)} if file else {})})
        if self._plan.plays:
            samples, rate = samples_of(message, self._plan.settings.playback_secs)
            self._player.play_chunk(samples, rate, len(message.audio))

    def _tell(self, body: dict[str, Any]) -> None:
        self._reporter.emit("play", body)
        if self._log:
            self._log.add(orjson.dumps(body).decode())

    def _write(self, message: StreamAudio) -> Path | None:
        """Return the file, or None if it could not be written, which is told once until it can again."""
        folder = self._call.temp_folder
        try:
            file = self._sounds.write(self._files, folder, message.audio, message.kind, message.rate)
        except OSError as error:
            self._tell_of_error(explain(error, folder))
            return None
        self._file_error = ""
        return file

    def _tell_of_error(self, text: str) -> None:
        if text == self._file_error:
            self._reporter.errors += 1
            return
        self._file_error = text
        heard = "; the caller hears it all the same" if self._plan.plays else ""
        self._reporter.error("file", text + heard)
