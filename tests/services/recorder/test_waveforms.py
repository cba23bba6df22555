"""Waveforms: against a plain computation, while a recording grows, and as the library waveform-data reads them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from freeswitch_audio_stream.services.recorder.formats.waveform import (BASE, Peaks, as_dat, as_json, fold,
                                                                        peaks_of_samples)
from freeswitch_audio_stream.services.recorder.sessions import waveforms
from freeswitch_audio_stream.services.recorder.sessions.waveforms import Waveforms
from freeswitch_audio_stream.services.recorder.storage.catalogue import SessionRow, Status
from freeswitch_audio_stream.services.recorder.storage.derived import NothingDerived
from freeswitch_audio_stream.services.recorder.storage.interface import UnknownRecording
from tests.node import install

from .service import PATIENCE, Recorder
from .test_endpoints import UNKNOWN, answer, close

pytestmark = pytest.mark.slow


def noise(frames: int, channels: int, seed: int = 1) -> Any:
    loudness = np.linspace(10, 32000, frames)[:, None]
    return (np.random.default_rng(seed).uniform(-1, 1, (frames, channels)) * loudness).astype("<i2")


def plain(samples: Any, per_pixel: int) -> list[Any]:
    """The peaks, as slowly as one can."""
    return [[[int(min(block[:, channel])), int(max(block[:, channel]))] for channel in range(samples.shape[1])]
            for block in (samples[at:at + per_pixel] for at in range(0, len(samples), per_pixel))]


@given(frames=st.integers(0, 500), channels=st.sampled_from([1, 2]), per_pixel=st.integers(1, 200),
       count=st.integers(1, 9))
def test_peaks(frames: int, channels: int, per_pixel: int, count: int) -> None:
    samples = noise(frames, channels)
    peaks = peaks_of_samples(samples.tobytes(), channels, per_pixel)
    assert peaks.tolist() == plain(samples, per_pixel)
    assert fold(peaks, count).tolist() == plain(samples, per_pixel * count)


class GrowingStore:
    """A recording in memory, and how much was read of it."""

    def __init__(self, samples: Any) -> None:
        self.data = samples.tobytes()
        self.was_read = 0

    async def read(self, id: str, offset: int, most: int) -> bytes:
        found = self.data[offset:offset + most]
        self.was_read += len(found)
        return found


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("per_pixel", [1, 7, 256, BASE, 3 * BASE])
def test_any_part_of_a_recording_that_grows(monkeypatch: pytest.MonkeyPatch, channels: int, per_pixel: int) -> None:
    monkeypatch.setattr(waveforms, "_PIECE_FRAMES", 3 * BASE)
    samples = noise(10 * BASE + 77, channels)

    async def main() -> None:
        store = GrowingStore(samples)
        reader = Waveforms(store, NothingDerived(), print)  # type: ignore[arg-type]
        try:
            for frames in (5, BASE, 4 * BASE + 3, len(samples)):
                row = SessionRow(str(uuid.UUID(int=1)), "", 8000, channels, "wav", Status.ACTIVE, 0, 0,
                                 audio_bytes=frames * 2 * channels)
                wanted = plain(samples[:frames], per_pixel)
                for first, last in ((0, len(wanted)), (len(wanted) // 3, len(wanted) // 2 + 1), (0, 10 ** 9),
                                    (len(wanted) + 5, len(wanted) + 9)):
                    found: Peaks = await reader.read(row, per_pixel, first, last)
                    assert found.tolist() == wanted[first:last]
            if per_pixel >= BASE:
                store.was_read = 0
                await reader.read(row, per_pixel, 0, 10 ** 9)
                assert store.was_read == 77 * 2 * channels  # all else is remembered
                store.data = b""
                with pytest.raises(UnknownRecording):
                    await reader.read(row, per_pixel, 0, 10 ** 9)
        finally:
            reader.stop()
    asyncio.run(main())


READ = """
const WaveformData = require('waveform-data'), fs = require('fs');
const said = (made) => {
    const channels = [...Array(made.channels).keys()].map((number) => made.channel(number));
    return {length: made.length, rate: made.sample_rate, scale: made.scale, bits: made.bits, channels:
        channels.map((one) => one.min_array().map((low, at) => [low, one.max_array()[at]]))};
};
const dat = fs.readFileSync('w.dat');
console.log(JSON.stringify([
    said(WaveformData.create(dat.buffer.slice(dat.byteOffset, dat.byteOffset + dat.length))),
    said(WaveformData.create(JSON.parse(fs.readFileSync('w.json'))))]));
"""


@pytest.mark.parametrize("channels, bits", [(1, 8), (2, 8), (2, 16)])
def test_the_library_waveform_data_reads_both_forms(tmp_path: Path, channels: int, bits: int) -> None:
    install(tmp_path, "waveform-data")
    peaks = peaks_of_samples(noise(10_000, channels).tobytes(), channels, 256)
    (tmp_path / "w.dat").write_bytes(as_dat(peaks, 44100, 256, bits))
    (tmp_path / "w.json").write_text(json.dumps(as_json(peaks, 44100, 256, bits)))
    (tmp_path / "read.cjs").write_text(READ)
    done = subprocess.run(["node", "read.cjs"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    wanted = (peaks >> (16 - bits)).transpose(1, 0, 2).tolist()
    one = {"length": 40, "rate": 44100, "scale": 256, "bits": bits, "channels": wanted}
    assert json.loads(done.stdout) == [one, one]


def test_over_http_while_it_is_recorded(recorder: Recorder) -> None:
    samples = noise(20_000, 2)
    with connect(recorder.ws("?sample_rate=8000&channels=2")) as connection:
        id = answer(connection)["session_id"]
        path = f"/api/audio/sessions/{id}/waveform"
        empty = recorder.json(path)
        assert (empty["length"], empty["data"], empty["channels"], empty["version"]) == (0, [], 2, 2)
        connection.send(samples.tobytes())
        answer(connection)
        whole = recorder.json(path)
        assert (whole["samples_per_pixel"], whole["length"], whole["bits"]) == (16, 1250, 16)
        assert whole["data"] == np.array(plain(samples, 16)).ravel().tolist()
        part = recorder.json(f"{path}?start=1.0001&end=1.5&samples_per_pixel=100&bits=8")
        assert part["data"] == (np.array(plain(samples[8000:12_000], 100)) >> 8).ravel().tolist()
        close(connection)
    status, dat, headers = recorder.request(f"{path}?format=dat&samples_per_pixel=8192")
    assert status == 200 and headers["Content-Type"] == "application/octet-stream"
    assert dat == as_dat(peaks_of_samples(samples.tobytes(), 2, 8192), 8000, 8192, 16)
    for query, words in (("samples_per_pixel=1&end=1000", None), ("samples_per_pixel=5000", "multiple"),
                         ("samples_per_pixel=0", "Invalid"), ("bits=12", "Invalid"), ("start=nan", "Invalid")):
        status, body, _ = recorder.request(f"{path}?{query}")
        assert (status == 200) if words is None else (status == 422 and words in json.loads(body)["error"])
    assert recorder.request(f"/api/audio/sessions/{UNKNOWN}/waveform")[0] == 404


def test_too_many_pixels_are_refused(recorder: Recorder) -> None:
    with connect(recorder.ws("?sample_rate=8000")) as connection:
        id = answer(connection)["session_id"]
        connection.send(bytes(2 * 20_001))
        answer(connection)
        status, body, _ = recorder.request(f"/api/audio/sessions/{id}/waveform?samples_per_pixel=1")
        assert status == 422 and (json.loads(body)["pixels"], json.loads(body)["limit"]) == (20_001, 20_000)
        assert recorder.json(f"/api/audio/sessions/{id}/waveform?samples_per_pixel=1&end=2.5")["length"] == 20_000
