"""Several ends of one stream within one turn of its dispatcher: the first of them is the one that counts.

The dispatcher is held while a command is given, the call hangs up, the server closes and the module is unloaded, in
every order; then it finds all of it at once.
"""

from __future__ import annotations

import itertools
import threading
from typing import Iterator

import pytest

from freeswitch_audio_stream.audio import Samples
from freeswitch_audio_stream.realtime.records import ATTEND_READ_CLOSED
from freeswitch_audio_stream.services.agent.server import Agent, play_message
from freeswitch_audio_stream.services.agent.session import AgentSession
from freeswitch_audio_stream.simulator import EmbeddedCall
from freeswitch_audio_stream.testing.peers.raw_websocket import CLOSE, TEXT, RawPeer, RawServer, frame
from freeswitch_audio_stream.testing.peers.recording_server import Server

from .community.user import User
from .harness import MODULE, PATIENCE, Platform, find, heard_all, noise, until

pytestmark = pytest.mark.slow

SPEECH = noise(80000)
ENDS = {"command": ("requested", "enough"), "hangup": ("hangup", None), "close": ("server_closed", "bye"),
        "unload": ("shutdown", None)}
LAST_WORDS = {"command": "enough", "hangup": "hangup", "unload": "module_shutdown"}
ORDERS = [order for count in (2, 4) for order in itertools.permutations(ENDS, count)]
COMMANDS = ("stop enough", "graceful-shutdown enough")
CASES = [(order, words) for order in ORDERS for words in COMMANDS if words == COMMANDS[0] or order[0] == "command"]


@pytest.fixture
def own_platform() -> Iterator[Platform]:
    """One that may be unloaded."""
    platform = Platform()
    yield platform
    platform.close()


class Turn:
    """The only stream's dispatcher, held: what happens meanwhile is all of one turn."""

    def __init__(self, platform: Platform, call: EmbeddedCall, peer: RawPeer | None = None) -> None:
        self._platform, self._call, self._peer = platform, call, peer
        self._stream, = platform.module.registry._table.running()
        self._go_on = threading.Event()
        self._threads: list[threading.Thread] = []
        held = threading.Event()

        def hold() -> None:
            held.set()
            self._go_on.wait(PATIENCE)
        self._stream.dispatcher.post(hold)
        assert held.wait(PATIENCE)

    def has(self, end: str, words: str = "stop enough") -> None:
        """Have one of ENDS happen."""
        {"command": lambda: self._tell(words), "hangup": self._hang_up,
         "close": lambda: self.say(frame(CLOSE, b"\x03\xe8bye")), "unload": self._unload}[end]()

    def _tell(self, words: str) -> None:
        # Past the switch, which has forgotten the command as soon as the module is being unloaded.
        assert self._platform.module.execute(f"{self._call.uuid} s {words}") == "+OK Success"

    def _hang_up(self) -> None:
        self._call.hangup()
        until(lambda: self._stream.media.path.attention & ATTEND_READ_CLOSED)

    def say(self, data: bytes) -> None:
        """Have the server send something, which has arrived then."""
        assert self._peer is not None
        before = self._stream.media.path.inbox_end
        self._peer.send(data)
        until(lambda: self._stream.media.path.inbox_end > before)

    def plays(self, session: AgentSession, samples: Samples) -> None:
        """Have the server send audio, which has arrived then."""
        before, message = self._stream.media.path.inbox_end, play_message("s", samples, 8000)
        session.send(message)
        until(lambda: self._stream.media.path.inbox_end > before + len(message["payload"]["audioData"]))

    def _unload(self) -> None:
        jobs = len(self._stream.dispatcher._jobs)
        self._threads.append(threading.Thread(target=self._platform.switch.unload, args=(MODULE,)))
        self._threads[-1].start()
        until(lambda: len(self._stream.dispatcher._jobs) > jobs)

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *exception: object) -> None:
        self._go_on.set()

    def join(self) -> None:
        """Wait for the unloading."""
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("order, words", CASES, ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_what_came_first_is_carried_out_first(own_platform: Platform, order: tuple[str, ...], words: str) -> None:
    """It names the reason, and what comes after it does not cut short what it has begun."""
    call = own_platform.call(speech=SPEECH)
    with RawServer() as server:
        own_platform.start(call, "{chunk-ms=1000}" + server.url)
        peer = server.accept()
        peer.hear_until(lambda: peer.session.sample_count() > 8000)
        with Turn(own_platform, call, peer) as turn:
            turn.say(frame(TEXT, b'{"event": "transcription.send", "payload": {}}'))  # something is reported already
            for end in order:
                turn.has(end, words)
        peer.hear_close()
        peer.send(frame(CLOSE, b"\x03\xe8"))
        peer.sock.close()
        turn.join()
        stopped = own_platform.event("stream_stopped", call)
        reason, detail = ENDS[order[0]]
        reason = "graceful" if order[0] == "command" and words != COMMANDS[0] else reason
        assert (stopped["reason"], stopped.get("detail")) == (reason, detail)
        if "close" not in order:
            assert peer.session.messages[-1]["reason"] == LAST_WORDS[order[0]]
            assert peer.session.sample_count() == 8 * stopped["statistics"]["msCaptured"]
            assert find(SPEECH, peer.session.samples()) >= 0


@pytest.mark.parametrize("command", ["stop", "graceful-shutdown"])
def test_the_last_text_of_the_community_dialect(platform: Platform, command: str) -> None:
    user = User(platform)
    call = user.call(speech=SPEECH, STREAM_BUFFER_SIZE="1000")
    with Server() as server:
        peer = user.connect(server, call)
        with Turn(platform, call) as turn:
            user.tell(call, f"{command} good bye")
            turn.has("hangup")
        assert peer.closed() == 1000 and peer.messages[-1] == "good bye"


def test_a_stop_behind_a_hangup_leaves_it_its_time(platform: Platform, agent: Agent) -> None:
    """The other way round as well: what is being sent already goes on being sent."""
    call = platform.call(speech=SPEECH)
    session = platform.connect(agent, call, "{chunk-ms=1000}")
    session.wait_for(lambda session: session.sample_count() > 0, PATIENCE)
    with Turn(platform, call) as turn:
        turn.has("hangup")
        turn.has("command")
    stopped = platform.event("stream_stopped", call)
    session.wait_for(lambda session: session.close_code == 1000, PATIENCE)
    assert stopped["reason"] == "hangup" and session.sample_count() == 8 * stopped["statistics"]["msCaptured"]


def test_a_clear_is_for_what_came_before_it_only(platform: Platform, agent: Agent) -> None:
    """Audio, `clear_play` and audio in one turn: the first is not played, the second is."""
    call = platform.call(app="playback")
    session = platform.connect(agent, call)
    heard_all(session)
    first, second = SPEECH[:4000], SPEECH[4000:8000]
    with Turn(platform, call) as turn:
        turn.plays(session, first)
        turn.has("command", "clear_play")
        turn.plays(session, second)
    heard_all(session)
    assert find(call.heard(), second) >= 0 and find(call.heard(), first[-400:]) < 0
