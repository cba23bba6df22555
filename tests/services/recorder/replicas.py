"""Recorders that share a database and a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .postgres_server import PostgresServer
from .s3_server import S3Server
from .service import Recorder


class Replicas:
    """Starts them; `stop` ends those that run."""

    def __init__(self, folder: Path, postgres: PostgresServer, s3: S3Server, *options: str) -> None:
        self.bucket = s3.bucket()
        self.variables = {"RECORDER_DATABASE_URL": postgres.database(), "RECORDER_STORE_ENDPOINT": s3.endpoint,
                          "RECORDER_STORE_URL": f"s3://{self.bucket}/audio", **S3Server.VARIABLES}
        self._folder = folder
        self._options = ("--gather-ms", "5", *options)
        self.running: list[Recorder] = []

    def start(self, *options: str) -> Recorder:
        recorder = Recorder(self._folder, *self._options, *options, **self.variables)
        self.running.append(recorder)
        return recorder

    def kill(self, recorder: Recorder) -> None:
        self.running.remove(recorder)
        recorder.kill()

    def stop(self) -> None:
        try:
            while self.running:
                self.running.pop().stop()
        finally:
            for recorder in self.running:  # one could not be stopped as it should
                recorder.kill()


def samples(recorder: Recorder, id: str) -> tuple[int, bytes, Any]:
    """The WAV file of a recording, as a replica sends it."""
    return recorder.request(f"/api/audio/sessions/{id}/audio")
