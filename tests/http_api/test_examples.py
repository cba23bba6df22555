"""The specification's own clients, in Python, in a browser and in Node, as they stand there: only the address of the
server, the call and the token are put in.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from freeswitch_audio_stream.audio import Encoding, decode
from freeswitch_audio_stream.simulator import EmbeddedCall
from tests.engine.harness import find, noise, until
from tests.node import install_ws
from tests.programs import has_said, running

from .harness import TOKEN, Site

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "data" / "media_stream"
ITS_SERVER, ITS_CALL, ITS_TOKEN = ("wss://api.voipbin.net", "652af662-eb45-11ee-b1a5-6fde165f9226", "<YOUR_AUTH_TOKEN>")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def example(name: str, site: Site, call: EmbeddedCall) -> str:
    """The text of an example, for this call."""
    text = (EXAMPLES / name).read_text()
    for its, ours in ((ITS_SERVER, f"ws://{site.server.address}"), (ITS_CALL, call.uuid), (ITS_TOKEN, TOKEN)):
        assert text.count(its) == 1
        text = text.replace(its, ours)
    return text


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Node finds the package ``ws``."""
    folder = tmp_path_factory.mktemp("node")
    install_ws(folder)
    return folder


def test_python_as_it_stands(site: Site, tmp_path: Path) -> None:
    """It runs its client before it defines what that calls, so it hears of that, and of every message."""
    call = site.call(speech=noise(8000, 1), speed=1)
    (tmp_path / "client.py").write_text(example("python.txt", site, call))
    with running([sys.executable, "-u", "client.py"], tmp_path) as lines:
        until(lambda: has_said(lines, "Media stream connected"))
        until(lambda: has_said(lines, "Received 172 bytes of audio"))
        assert has_said(lines, "'generate_audio'")
        call.hangup()
        until(lambda: has_said(lines, "Connection closed: 1000"))
    site.clients += 1


def test_python_with_its_definitions_before_their_use(site: Site, tmp_path: Path) -> None:
    """It saves what it hears; what it says, bare samples instead of RTP, is counted as that and hurts nobody."""
    speech = decode(bytes(noise(8000, 2).view(np.uint8)[:8000]), Encoding.MULAW)
    call = site.call(speech=speech, speed=1)
    text = example("python.txt", site, call)
    assert text.count("\nws.run_forever()\n") == 1
    (tmp_path / "client.py").write_text(text.replace("\nws.run_forever()\n", "\n") + "\nws.run_forever()\n")
    (tmp_path / "audio_to_inject.raw").write_bytes(bytes(160))
    with running([sys.executable, "-u", "client.py"], tmp_path):
        saved = tmp_path / "received_audio.raw"
        until(lambda: saved.exists() and find(decode(saved.read_bytes(), Encoding.MULAW), speech[-4000:]) >= 0)
    site.clients += 1
    assert site.event("stream_stopped", call, "media-1")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_browser(site: Site, tmp_path: Path) -> None:
    call = site.call(speech=noise(8000, 3), speed=1)
    page = tmp_path / "client.html"
    page.write_text(f"<!doctype html><script>\n{example('browser.txt', site, call)}</script>")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", "--enable-logging=stderr",
               page.as_uri()]
    with running(command, tmp_path) as lines:
        until(lambda: has_said(lines, "Media stream connected"), 120)
        until(lambda: has_said(lines, "Received 172 bytes"))
        call.hangup()
        until(lambda: has_said(lines, "Media stream closed"))
        assert not has_said(lines, "WebSocket error")
    site.clients += 1


def test_node(site: Site, node_folder: Path, tmp_path: Path) -> None:
    """Both ways to the sample; it sends two seconds of audio at once."""
    speech, answer = noise(8000, 4), noise(16000, 5)
    call = site.call(speech=speech, speed=1)
    (tmp_path / "client.js").write_text(example("node.txt", site, call))
    (tmp_path / "audio.pcm").write_bytes(answer.astype("<i2").tobytes())
    os.symlink(node_folder / "node_modules", tmp_path / "node_modules")
    with running(["node", "client.js"], tmp_path) as lines:
        until(lambda: has_said(lines, "Received 320 bytes"))
        until(lambda: find(call.heard(), answer) >= 0)
        saved = tmp_path / "received_audio.pcm"
        until(lambda: find(np.frombuffer(saved.read_bytes()[:2 * (saved.stat().st_size // 2)], "<i2").astype(np.int16),
                           speech[-4000:]) >= 0)
        call.hangup()
        until(lambda: has_said(lines, "AudioSocket closed"))
    site.clients += 1
