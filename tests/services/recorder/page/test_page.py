"""The page in a headless Chromium: what somebody sees, hears and does who looks at it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from freeswitch_audio_stream.services.recorder.page.levels import SILENT_DB, decibels
from tests.browser import Browser, chromium, needs_chromium

from ..service import Recorder
from ..test_endpoints import answer, close

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef-key"


def tone(seconds: float, loudness: tuple[float, ...] = (0.5, 0.1)) -> bytes:
    """Of 8 kHz, a channel for each loudness."""
    wave = np.sin(np.arange(int(8000 * seconds)) / 3)
    return (np.stack([wave * one for one in loudness], axis=1) * 32767).astype("<i2").tobytes()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    (tmp_path / "browser").mkdir()
    with chromium(tmp_path / "browser") as browser:
        yield browser


@contextmanager
def session(recorder: Recorder, query: str = "") -> Iterator[tuple[str, ClientConnection]]:
    with connect(recorder.ws(f"?sample_rate=8000&channels=2{query}")) as connection:
        yield str(answer(connection)["session_id"]), connection


def send(connection: ClientConnection, data: bytes) -> None:
    connection.send(data)
    assert answer(connection)["status"] == "active"


def text(selector: str) -> str:
    return f"(document.querySelector({selector!r})?.textContent ?? '')"


def complaints(browser: Browser) -> list[str]:
    """Without the player's requests that it gives up itself, when it is at another place."""
    return [one for one in browser.complaints if "'canceled': True" not in one]


def press(browser: Browser, key: str, code: int = 0) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                     text=key if len(key) == 1 and kind == "keyDown" else "")


@needs_chromium
def test_a_recording_is_seen_and_heard_while_it_is_made(recorder: Recorder, browser: Browser, tmp_path: Path) -> None:
    browser.open(f"http://{recorder.address}/")
    browser.wait_for("document.getElementById('content')?.hidden === false && !document.getElementById('none').hidden")
    with session(recorder, "&user_id=alice") as (id, connection):
        browser.wait_for(f"{text('#live button')} === 'alice · {id}'")
        while browser.evaluate("parseFloat(document.querySelector('#live .level div').style.width || '0') < 50"):
            send(connection, tone(0.5))
        levels = browser.evaluate("[...document.querySelectorAll('#live .level')].map((one) => "
                                  "Number(one.getAttribute('aria-valuenow')))")
        assert abs(levels[0] + 6) < 1 and abs(levels[1] + 20) < 1
        send(connection, tone(20))
        browser.evaluate("document.querySelector('#live button').click()")
        browser.wait_for("document.activeElement.id === 'title' && peaks?.channels === 2 && peaks.length > 100 && "
                         "player.duration >= 20")
        assert browser.evaluate(text("#title")) == f"alice · {id}"
        browser.screenshot(tmp_path / "live.png")
        before = browser.evaluate("player.duration")
        browser.evaluate("document.getElementById('wave').focus()")
        press(browser, "End", 35)
        browser.wait_for("Math.abs(player.currentTime - now.seconds) < 0.1")
        send(connection, tone(10))
        browser.wait_for(f"now.seconds > {before} + 9 && view[1] === now.seconds")  # it follows
        browser.evaluate("seek(now.seconds - 3)")  # what the player did not have
        browser.wait_for(f"player.duration > {before} + 9 && player.currentTime > {before}")
        press(browser, "ArrowLeft", 37)
        browser.wait_for("Math.abs(player.currentTime - (now.seconds - 8)) < 0.1")
        press(browser, "+", 187)
        browser.wait_for("view[1] - view[0] < now.seconds * 0.6 && Math.abs(view[1] - view[0] - peaks.length * "
                         "peaks.samples_per_pixel / peaks.sample_rate) < 1")
        browser.evaluate("player.muted = true")
        press(browser, " ", 32)
        browser.wait_for("player.currentTime > now.seconds - 7.9")
        press(browser, " ", 32)
        browser.wait_for("player.paused")
        close(connection)
    browser.wait_for(f"!document.getElementById('none').hidden && {text('#facts')}.endsWith('completed')")
    browser.wait_for(f"{text('#rows td:nth-child(4)')} === 'completed' && {text('#rows td:nth-child(2)')} === 'alice'")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.screenshot(tmp_path / "dark.png")
    assert complaints(browser) == []
    assert all(url.startswith((f"http://{recorder.address}/", "data:")) for url in browser.requested)


@needs_chromium
def test_search_download_and_delete_with_a_question(recorder: Recorder, browser: Browser, tmp_path: Path) -> None:
    ids = {}
    for user in ("alice", "bob"):
        with session(recorder, f"&user_id={user}") as (ids[user], connection):
            send(connection, tone(1))
            close(connection)
    browser.open(f"http://{recorder.address}/")
    browser.wait_for("document.querySelectorAll('#rows tr').length === 2")
    search = "(document.getElementById('text').value = {!r}, document.getElementById('search').requestSubmit())"
    for wanted, user in (("bob", "bob"), (ids["alice"], "alice")):
        browser.evaluate(search.format(wanted))
        browser.wait_for("document.querySelectorAll('#rows tr').length === 1 && "
                         f"{text('#rows button')} === '{ids[user]}'")
    browser.evaluate("document.querySelector('#rows button').click()")
    browser.wait_for("document.activeElement.id === 'title'")
    size = browser.evaluate("fetch(document.querySelector('[data-format=wav]').href).then((answer) => answer.blob())"
                            ".then((blob) => blob.size)")
    assert size == (tmp_path / f"{ids['alice']}.wav").stat().st_size
    browser.evaluate("document.getElementById('delete').click()")
    browser.wait_for("document.getElementById('question').open && document.activeElement.value === 'no'")
    browser.screenshot(tmp_path / "question.png")
    press(browser, "Escape", 27)
    browser.wait_for("!document.getElementById('question').open && document.activeElement.id === 'delete'")
    assert recorder.request(f"/api/audio/sessions/{ids['alice']}")[0] == 200
    browser.evaluate("document.getElementById('delete').click()")
    browser.evaluate("document.querySelector('#question [value=yes]').click()")
    browser.wait_for("document.getElementById('recording').hidden && "
                     f"document.querySelectorAll('#rows tr').length === 1 && {text('#rows button')} === '{ids['bob']}'")
    assert recorder.request(f"/api/audio/sessions/{ids['alice']}")[0] == 404
    assert complaints(browser) == []


@needs_chromium
def test_a_key_is_asked_for_and_kept_in_the_tab(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "store").mkdir()
    recorder = Recorder(tmp_path / "store", RECORDER_API_KEYS=KEY)
    with session(recorder, f"&api_key={KEY}") as (id, connection):
        send(connection, tone(1))
        browser.open(f"http://{recorder.address}/")
        browser.wait_for("document.getElementById('ask')?.hidden === false && document.activeElement.id === 'key'")
        enter = "(document.getElementById('key').value = {!r}, document.getElementById('ask').requestSubmit())"
        browser.evaluate(enter.format("a-wrong-key-of-it"))
        browser.wait_for(f"{text('#state')} === 'The recorder does not know this key'")
        browser.evaluate(enter.format(KEY))
        browser.wait_for("document.querySelector('#live button') !== null")
        browser.evaluate("document.querySelector('#live button').click()")
        browser.wait_for("player.duration > 0.9")  # the player shows the key as well
        assert browser.evaluate("localStorage.length") == 0
        browser.evaluate("document.getElementById('forget').click()")
        browser.wait_for("document.getElementById('ask')?.hidden === false")
        close(connection)
    recorder.stop()


MEDIA_RECORDER = """(async () => {
    const context = new AudioContext({sampleRate: 48000}), tone = context.createOscillator();
    const target = context.createMediaStreamDestination(), said = [];
    tone.frequency.value = 440;
    tone.connect(target);
    tone.start();
    await context.resume();
    const socket = new WebSocket(ADDRESS);
    socket.binaryType = 'arraybuffer';
    const heard = () => new Promise((done) => { socket.onmessage = (event) => done(JSON.parse(event.data)); });
    const id = (await heard()).session_id;
    const recorder = new MediaRecorder(target.stream, {mimeType: 'audio/webm;codecs=opus'});
    let sent = 0;
    const enough = new Promise((done) => { recorder.ondataavailable = async (event) => {
        if (!event.data.size) return;
        socket.send(await event.data.arrayBuffer());
        if (++sent === 12) done();
    }; });
    recorder.start(250);
    await enough;
    recorder.stop();
    let last;
    socket.onmessage = (event) => { last = JSON.parse(event.data); };
    const closed = new Promise((done) => { socket.onclose = (event) => done(event.code); });
    socket.send(JSON.stringify({type: 'control', action: 'close_session'}));
    return {id, code: await closed, last};
})()"""


@needs_chromium
def test_a_browser_streams_opus_with_media_recorder(recorder: Recorder, browser: Browser) -> None:
    browser.open(f"http://{recorder.address}/health")
    address = json.dumps(recorder.ws("?sample_rate=48000&channels=1"))
    said = browser.call("Runtime.evaluate", expression=MEDIA_RECORDER.replace("ADDRESS", address), returnByValue=True,
                        awaitPromise=True, userGesture=True)  # without one, no page may make a sound
    done = said["result"]["value"]
    assert done["code"] == 1000 and done["last"]["status"] == "completed" and done["last"]["chunk_count"] >= 12
    status, body, _ = recorder.request(f"/api/audio/sessions/{done['id']}/audio")
    samples = np.frombuffer(body[80:], np.int16).astype(float)
    assert status == 200 and len(samples) > 2 * 48000
    middle = samples[24000:72000]
    assert abs(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) - 440) <= 2
    assert np.abs(middle).max() > 5000


def test_the_page_itself_needs_no_key_and_lets_nothing_else_in(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, RECORDER_API_KEYS=KEY)
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/list.js", "text/javascript"),
                       ("/recording.js", "text/javascript")):
        status, content, headers = recorder.request(path)
        assert status == 200 and headers["Content-Type"].startswith(kind)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert b"https://" not in content and b"http://" not in content
    assert recorder.request("/live")[0] == 401
    recorder.stop()


def test_decibels() -> None:
    assert [decibels(peak) for peak in (0, 1, 16384, 32768)] == [SILENT_DB, SILENT_DB, -6.0, 0.0]
