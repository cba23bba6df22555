"""The recording service as a process that can be killed and started again at the same address."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.services.recorder.service import Recorder

Recorded = NDArray[np.int16]


class RestartedRecorder:
    """Runs from the start on."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self._folder, self._options, self._variables = folder, options, variables
        self.process = Recorder(folder, *options, **variables)
        self.address = self.process.address

    @property
    def url(self) -> str:
        return f"ws://{self.address}/api/ws/audio"

    def kill(self) -> None:
        """SIGKILL; what it was doing, it never finishes."""
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()

    def start(self) -> None:
        """After `kill` or `stop`: at the same address, with the same recordings."""
        port = self.address.rpartition(":")[2]
        self.process = Recorder(self._folder, *self._options, "--port", port, **self._variables)

    def session(self, id: str) -> Any:
        """What the service tells of a session."""
        return self.process.json(f"/api/audio/sessions/{id}")

    def sessions(self) -> list[Any]:
        listed: list[Any] = self.process.json("/api/audio/sessions")["sessions"]
        return listed


def read_recording(path: str) -> tuple[int, Recorded]:
    """Rate, and int16[samples, channels]."""
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
        assert len(data) == file.getnframes() * 2 * file.getnchannels()
        return file.getframerate(), np.frombuffer(data, "<i2").reshape(-1, file.getnchannels())
