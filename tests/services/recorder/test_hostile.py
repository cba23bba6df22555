"""What nobody should send: files that lie about themselves, playlists that point elsewhere, headers out of order. The
service answers each, keeps its other sessions, and leaves no process behind.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Iterator

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from freeswitch_audio_stream.services.recorder.formats.wav_input import Compressed, FormatError, WavInput
from freeswitch_audio_stream.services.recorder.storage.interface import Recording
from freeswitch_audio_stream.services.recorder.storage.wav import read_header, write_header

from .service import PATIENCE, Recorder
from .test_clients import make_wav, read_wav
from .test_compressed import KINDS, ffmpeg
from .test_endpoints import answer, close

pytestmark = pytest.mark.slow


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body


FORMAT = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
RIFF = b"RIFF\xff\xff\xff\xffWAVE"
WAVS = {
    "header alone": RIFF,
    "samples before their format": RIFF + chunk(b"data", bytes(100)) + chunk(b"fmt ", FORMAT),
    "format too short": RIFF + chunk(b"fmt ", FORMAT[:4]) + chunk(b"data", bytes(100)),
    "chunk of 4 GB": RIFF + chunk(b"LIST", b"", 0xFFFFFFFF) + chunk(b"fmt ", FORMAT) + chunk(b"data", bytes(9)),
    "no channels": RIFF + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16)) + chunk(b"data", bytes(9)),
    "65535 channels": RIFF + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 65535, 8000, 1, 9, 16)) + chunk(b"data", b"x"),
    "4 GHz": RIFF + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 0xFFFFFFFF, 1, 2, 16)) + chunk(b"data", bytes(999)),
    "ds64 of 16 EB": b"".join((b"RF64", RIFF[4:], chunk(b"ds64", b"\xff" * 28), chunk(b"fmt ", FORMAT),
                               chunk(b"data", bytes(100), 0xFFFFFFFF))),
    "endless header": RIFF + b"".join(chunk(b"junk", bytes(1000)) for _ in range(100)),
    "codec 0xFFFE and no more": b"".join((RIFF, chunk(b"fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 1, 2, 16)),
                                          chunk(b"data", bytes(100)))),
}
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\nhttp://127.0.0.1:1/x\n"
OTHERS = {
    "playlist": PLAYLIST, "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "FLAC of nothing": b"fLaC" + bytes(5000), "FLAC with a picture of 16 MB": b"fLaC\x06\xff\xff\xff" + bytes(5000),
    "ID3 of 256 MB": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(5000), "Ogg page": b"OggS" + b"\xff" * 5000,
    "EBML of unknown size": b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(5000),
    "zip": b"PK\x03\x04" + bytes(5000), "MP4 with a box of 4 GB": b"\xff\xff\xff\xffftypM4A " + bytes(5000),
}


@given(st.binary(max_size=300) | st.builds(lambda head, at, by: head[:at] + by + head[at + len(by):],
                                           st.sampled_from([*WAVS.values(), write_header(8000, 1, 100)]),
                                           st.integers(0, 90), st.binary(max_size=12)), st.integers(1, 60))
def test_headers_of_any_kind(data: bytes, step: int) -> None:
    try:
        header = read_header(data)
        assert header is None or header.offset <= len(data)
    except ValueError:
        pass
    reader, taken = WavInput(Recording("x", 8000, 1)), 0
    try:
        for at in range(0, len(data), step):
            taken += len(reader.take(data[at:at + step]))
            assert taken <= len(data)
        taken += len(reader.end())
        assert taken <= len(data)
    except (FormatError, Compressed):
        pass


@pytest.mark.parametrize("begin", [b"ID3", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0WAVE", b"RF64"])
def test_raw_samples_may_begin_with_anything_where_the_client_says_so(begin: bytes) -> None:
    reader = WavInput(Recording("x", 8000, 1, format="pcm"))
    data = begin + bytes(range(200))
    assert b"".join(reader.take(data[at:at + 3]) for at in range(0, len(data), 3)) + reader.end() == data


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), "--ffmpeg-loglevel", "fatal")
    yield recorder
    recorder.stop()
    assert not any("passwd" in line for line in recorder.told)


def send(recorder: Recorder, data: bytes, format: str) -> None:
    """Whatever comes of it is an answer, and a recording that can be read."""
    with connect(recorder.ws(f"?sample_rate=8000&format={format}")) as connection:
        id = answer(connection)["session_id"]
        try:
            for at in range(0, len(data), 4096):
                connection.send(data[at:at + 4096])
                said = json.loads(connection.recv(PATIENCE))
                assert said["session_id"] == id and said["status"] in ("active", "error")
            assert close(connection)["session_id"] == id
        except ConnectionClosed:
            assert connection.close_code in (1000, 1008)
    final = recorder.json(f"/api/audio/sessions/{id}/close", "POST")
    samples = read_wav(final["file_path"])[2]
    assert b"root:" not in samples and len(samples) == final["audio_bytes"]


def no_process_is_left(recorder: Recorder) -> None:
    until = time.monotonic() + PATIENCE
    while psutil.Process(recorder.process.pid).children():
        assert time.monotonic() < until


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg here: apt-get install ffmpeg")
def test_the_corpus(recorder: Recorder) -> None:
    with connect(recorder.ws("?sample_rate=8000")) as connection:  # a session that all this must not touch
        answer(connection)
        for name, data in {**WAVS, **OTHERS}.items():
            for format in ("wav",) if name in WAVS else ("mp3", "flac", "aac"):
                send(recorder, data, format)
            connection.send(b"abcd")
            assert answer(connection)["status"] == "active", name
        assert close(connection)["acked_bytes"] == 4 * len({**WAVS, **OTHERS})
    no_process_is_left(recorder)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A quarter of a second of each kind."""
    if not shutil.which("ffmpeg"):
        pytest.skip("there is no FFmpeg here: apt-get install ffmpeg")
    folder = tmp_path_factory.mktemp("good")
    make_wav(folder / "in.wav", 48000, 1, 12_000)
    return {kind: ffmpeg((folder / "in.wav").read_bytes(), *options) for kind, options in KINDS.items()}


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), cut=st.integers(0, 3000), at=st.integers(0, 3000),
       by=st.binary(min_size=1, max_size=200))
def test_good_files_with_a_part_replaced(recorder: Recorder, good: dict[str, bytes], kind: str, cut: int, at: int,
                                         by: bytes) -> None:
    data = good[kind]
    data = data[:at] + by + data[at + len(by):len(data) - cut]
    send(recorder, data, kind if kind in ("mp3", "flac", "aac") else "wav")


def test_paths_and_headers(recorder: Recorder, tmp_path: Path) -> None:
    for id in ("..%2f..%2fcatalogue.sqlite", "%2e%2e", "unfinished%2flock", "a%00b", "x" * 5000, "*", "%0d%0aX:%20y"):
        for path in ("", "/audio", "/waveform"):
            assert recorder.request(f"/api/audio/sessions/{id}{path}")[0] in (400, 404)
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is",
                           f"http://{recorder.address}/api/audio/sessions/../../../../etc/passwd/audio"],
                          capture_output=True, text=True) if shutil.which("curl") else None
    assert done is None or done.stdout in ("400", "404")
    for asked in ("bytes=" + "9" * 5000 + "-", "bytes=0-0,1-1", "bytes=--1", "pages=1-2", "bytes=1-0", "bytes=²-"):
        with connect(recorder.ws("?sample_rate=8000")) as connection:
            id = answer(connection)["session_id"]
        status, _, _ = recorder.request(f"/api/audio/sessions/{id}/audio", Range=asked.encode().decode("latin-1"))
        assert status in (200, 206, 416)
