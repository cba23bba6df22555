"""A call of the embedded switch: its memory, its thread, and what a person at its far end does."""

from __future__ import annotations

import ctypes
import queue
import threading
import time
from typing import Callable, Mapping, Protocol

import numpy as np
from numpy.typing import NDArray

from ..audio import Samples
from ..switch.constants import CAUSE_NORMAL_CLEARING, ChannelState
from ..switch.layouts import Codec, Dtmf, DtmfHook
from . import bugs, media
from .buffers import Recording, make_buffer
from .codecs import Codecs, CodecSpec, fit, loss_table
from .events import Event, Events
from .locks import C, make_mutex, make_rwlock
from .modules import Modules
from .pool import Pool
from .records import (ALIVE, APP_BRIDGE, APP_ECHO, APP_PARK, APP_PLAYBACK, CHANNEL_OFFSET, CODEC_BYTES,
                      FRAME_BYTES, LOCK_BYTES, PACKET_BYTES, SESSION, record_at)

APPLICATIONS = {"park": APP_PARK, "sleep": APP_PARK, "playback": APP_PLAYBACK, "echo": APP_ECHO,
                "bridge": APP_BRIDGE}
"""What a call can be doing, in the words of the dialplan; ``playback`` is that of ``silence_stream://-1``."""

RAW_WRITE_BYTES = 64 * 1024
MILLISECONDS_TO_DTMF_UNITS = 8
"""DTMF durations count samples at 8000 Hz."""
SHORTEST_DTMF, LONGEST_DTMF = 400, 192000
"""The core brings durations into these limits."""


class Exchange(Protocol):
    """What a call needs of the switch that it is on."""

    codecs: Codecs
    event_system: Events
    modules: Modules
    causes: dict[bytes, int]

    def forget(self, call: EmbeddedCall) -> None:
        """The call is no longer to be found by its uuid."""

    def remove_destroyed(self, call: EmbeddedCall) -> None:
        """The call is destroyed."""


class EmbeddedCall:
    """One call. Its thread runs the compiled media loop; the methods here may be called on any other
    thread.
    """

    def __init__(self, switch: Exchange, uuid: str, *, speech: Samples | None, rate: int | None,
                 codec: CodecSpec, app: str, variables: Mapping[str, str], speed: float, answered: bool,
                 cng: bool, record_seconds: int) -> None:
        self.uuid = uuid
        self.codec = codec
        self.variables = dict(variables)
        self.destroyed = threading.Event()
        """Set when the call's memory is gone and its thread is about to end."""
        self.hooks: list[int] = []
        """Addresses of the DTMF hooks."""
        self.dtmf_received = ""
        self._switch = switch
        self._speed = speed
        self._speech = np.zeros(0, np.int16) if speech is None else np.asarray(speech, np.int16)
        self._speech_rate = rate or codec.rate
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._dtmf_mutex = threading.RLock()
        self._hanging_up = threading.Lock()
        self.pool = Pool()
        self._texts: dict[str, int] = {}
        self._played: Samples = np.zeros(0, np.int16)
        self._bridged_to: EmbeddedCall | None = None
        self._hung_up = False
        self._build(app, answered, cng, record_seconds)
        self._thread = threading.Thread(target=self._run, name=f"session {uuid}", daemon=True)

    # Making

    def _build(self, app: str, answered: bool, cng: bool, record_seconds: int) -> None:
        alloc = self.pool.alloc
        self.pointer = alloc(SESSION.itemsize)
        self.channel = self.pointer + CHANNEL_OFFSET
        self.session = record_at(self.pointer, SESSION)
        s = self.session
        s.magic, s.channel, s.state = ALIVE, self.pointer, ChannelState.EXECUTE
        s.answered, s.speech_ends_in_cng, s.app = answered, cng, APPLICATIONS[app]
        s.idle_silence = int(self.variables.get("send_silence_when_idle", "0"))
        s.session_lock, s.bug_lock = make_rwlock(alloc(LOCK_BYTES)), make_rwlock(alloc(LOCK_BYTES))
        s.read_mutex, s.write_mutex = make_mutex(alloc(LOCK_BYTES)), make_mutex(alloc(LOCK_BYTES))
        for name in ("read_codec", "write_codec", "linear_codec"):
            setattr(s, name, alloc(CODEC_BYTES))
        for name in ("read_frame", "write_frame", "app_frame"):
            setattr(s, name, alloc(FRAME_BYTES))
        for name in ("read_data", "write_data", "sent_data", "app_data"):
            setattr(s, name, alloc(4 * PACKET_BYTES))
        s.read_clock, s.write_clock = alloc(16), alloc(16)
        s.raw_write = make_buffer(self.pool, RAW_WRITE_BYTES)
        self._heard, self._spoken = (Recording(record_seconds) for _ in range(2))
        s.heard, s.spoken = self._heard.address, self._spoken.address
        self._negotiate(self.codec)
        s.due = time.monotonic_ns()

    def _negotiate(self, codec: CodecSpec) -> None:
        """Take up a codec; the speech goes on from where it is."""
        s = self.session
        described = self._switch.codecs.implementation
        implementation = described(codec)
        said = s.speech_position / (self.codec.rate * self.codec.channels)
        self.codec = codec
        s.read_impl = s.write_impl = implementation
        for name in ("read_codec", "write_codec"):
            Codec.from_address(getattr(s, name)).implementation = implementation
        linear = CodecSpec("L16", codec.rate, codec.ptime_ms, codec.channels)
        Codec.from_address(s.linear_codec).implementation = described(linear)
        s.read_table = s.write_table = loss_table(codec)
        s.period = round(codec.ptime_ms * 1_000_000 / self._speed)
        self._place_speech(round(said * codec.rate) * codec.channels)

    def _place_speech(self, position: int) -> None:
        self._fitted = fit(self._speech, self._speech_rate, self.codec)
        s = self.session
        s.speech, s.speech_length = self._fitted.ctypes.data, len(self._fitted)
        s.speech_position = min(position, len(self._fitted))

    def start(self) -> None:
        """Begin the call's thread; only the switch does this."""
        self._thread.start()

    # The call's thread

    def _run(self) -> None:
        while media.run(self.pointer) == media.INTERRUPTED:
            self._serve()
        self._end()

    def _serve(self) -> None:
        self.session.interrupt = 0
        while not self._queue.empty():
            self._queue.get()()

    def on_thread(self, work: Callable[[], None], timeout: float = 30.0) -> bool:
        """Have `work` run on the call's thread, between two packets, and wait for it; False if the call
        ends first.

        An exception in `work` is raised here.
        """
        done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def run() -> None:
            try:
                work()
                done.put(None)
            except BaseException as error:
                done.put(error)
        if threading.current_thread() is self._thread:
            work()
            return True
        self._queue.put(run)
        self.session.interrupt = 1
        deadline = time.monotonic() + timeout
        while True:
            try:
                error = done.get(timeout=0.05)
            except queue.Empty:
                if self.destroyed.is_set():
                    return False
                if time.monotonic() > deadline:
                    raise TimeoutError(f"call {self.uuid} did not get to it within {timeout} s") from None
                continue
            if error is not None:
                raise error
            return True

    def _end(self) -> None:
        """The last part of a call, in the order of FreeSWITCH: bugs closed, readers awaited, memory gone."""
        self.hangup()
        self._leave_bridge()
        bugs.close_all(self.pointer)
        self.session.state = ChannelState.REPORTING
        self._announce("CHANNEL_HANGUP_COMPLETE")
        self._switch.forget(self)
        C.pthread_rwlock_wrlock(self.session.session_lock)
        self.session.state = ChannelState.DESTROY
        bugs.close_all(self.pointer)  # what was added between hangup and here, by a holder of a read lock
        C.pthread_rwlock_unlock(self.session.session_lock)
        self._announce("CHANNEL_DESTROY")
        self._switch.remove_destroyed(self)
        self.destroyed.set()

    def _announce(self, name: str) -> None:
        self._switch.event_system.fire(Event(name, "", self.headers(), ""))

    # The caller

    def hangup(self, cause: bytes = CAUSE_NORMAL_CLEARING) -> None:
        """End the call; the rest happens on its own thread within a packet time. A second call does
        nothing.
        """
        with self._hanging_up:
            if self._hung_up:
                return
            self._hung_up = True
            self.session.cause = self._switch.causes[cause]
            self.session.state = ChannelState.HANGUP
        self._announce("CHANNEL_HANGUP")

    def answer(self) -> None:
        """Answer a call that was made with ``answered=False``."""
        self.session.answered = 1
        self._announce("CHANNEL_ANSWER")

    def say(self, samples: Samples) -> None:
        """Have the caller go on with int16 `samples` (at the rate of the first speech) behind what is left
        to say.
        """
        def go_on() -> None:
            self._speech = np.concatenate([self._speech, np.asarray(samples, np.int16)])
            self._place_speech(self.session.speech_position)
        self.on_thread(go_on)

    def has_spoken(self) -> bool:
        """Return whether all of the speech has been sent."""
        return bool(self.session.speech_position >= self.session.speech_length)

    def dtmf(self, digit: str, duration_ms: int = 100) -> bool:
        """Press a key: hooks run on this thread (in FreeSWITCH: the network's) with the channel's DTMF lock
        held.

        False when a hook has swallowed the digit or the call is over.
        """
        if C.pthread_rwlock_tryrdlock(self.session.session_lock) != 0:
            return False
        try:
            if self.session.magic != ALIVE or self.session.state >= ChannelState.HANGUP:
                return False
            duration = min(max(duration_ms * MILLISECONDS_TO_DTMF_UNITS, SHORTEST_DTMF), LONGEST_DTMF)
            key = Dtmf(digit.encode(), duration, 0, 0)
            with self._dtmf_mutex:
                for hook in list(self.hooks):
                    if DtmfHook(hook)(self.pointer, ctypes.addressof(key), 0) != 0:
                        return False
                self.dtmf_received += digit
            return True
        finally:
            C.pthread_rwlock_unlock(self.session.session_lock)

    def heard(self) -> Samples:
        """int16[n] (or [n, 2]): what was written to the caller, as it sounds there, without the times of no
        audio. A frame that is just being written, of which a media bug may have told already, is waited for.
        """
        while self.session.writing:
            time.sleep(0)
        return self._shaped(self._heard.samples())

    def heard_frames(self) -> NDArray[np.int64]:
        """int64[frames, 3]: CLOCK_MONOTONIC ns, position in `heard` and length (in values) of each frame
        written.
        """
        return self._heard.frames()

    def spoken(self) -> Samples:
        """int16[n] (or [n, 2]): what the caller has sent so far, after the codec, silence after the speech
        included.
        """
        return self._shaped(self._spoken.samples())

    def spoken_frames(self) -> NDArray[np.int64]:
        """Like `heard_frames`, of `spoken`."""
        return self._spoken.frames()

    def _shaped(self, values: Samples) -> Samples:
        channels = self.codec.channels
        return values if channels == 1 else values[:len(values) // channels * channels].reshape(-1, channels)

    # The dialplan

    def play(self, samples: Samples, rate: int | None = None) -> None:
        """Have the switch play int16 `samples` to the caller behind what it is playing: another writer than
        we are.
        """
        def begin() -> None:
            s = self.session
            added = fit(np.asarray(samples, np.int16), rate or self.codec.rate, self.codec)
            self._played = np.concatenate([self._played[s.play_position:], added])
            s.play, s.play_length, s.play_position = self._played.ctypes.data, len(self._played), 0
        self.on_thread(begin)

    def run_app(self, app: str) -> None:
        """Go over to another of APPLICATIONS, as a transfer does."""
        def change() -> None:
            self._leave_bridge()
            self.session.app = APPLICATIONS[app]
        self._move_and(change)

    def _move_and(self, change: Callable[[], None]) -> None:
        self.move()
        try:
            self.on_thread(change)
        finally:
            self.move(False)

    def move(self, moving: bool = True) -> None:
        """Have the call leave one state, as a transfer or a bridge does, where nobody reads or writes for a moment;
        or arrive in the next.
        """
        self.session.moving = moving

    def bypass(self, bypassed: bool = True) -> None:
        """Take its media out of the switch, or back."""
        self.session.bypassed = bypassed

    def application(self, name: str, data: str = "") -> bool:
        """Run a module's dialplan application on the call's thread and wait; False where there is none or
        no call.
        """
        found: list[bool] = []
        self.on_thread(lambda: found.append(self._switch.modules.application(name, data, self.pointer)))
        return found == [True]

    def command(self, name: str, arguments: str = "") -> str | None:
        """``${name(arguments)}`` of a dialplan: an API command on the call's thread, with its session."""
        answer: list[str | None] = []
        self.on_thread(lambda: answer.append(self._switch.modules.command(name, arguments, self.pointer)))
        return answer[0] if answer else None

    def change_codec(self, codec: CodecSpec) -> None:
        """A re-INVITE: both directions change to `codec` between two packets."""
        def change() -> None:
            C.pthread_mutex_lock(self.session.write_mutex)
            try:
                self._negotiate(codec)
            finally:
                C.pthread_mutex_unlock(self.session.write_mutex)
        self.on_thread(change)

    def hold(self, held: bool = True) -> None:
        """Put the call on hold, where no audio passes either way, or take it off."""
        self.session.held = held

    def join_bridge(self, other: EmbeddedCall) -> None:
        """Write to `other` what this caller says, until either hangs up; `EmbeddedSwitch.bridge` does both
        ways.
        """
        def join() -> None:
            if C.pthread_rwlock_tryrdlock(other.session.session_lock) != 0:
                raise RuntimeError(f"call {other.uuid} is over")
            self._bridged_to = other
            self.session.partner, self.session.bridged, self.session.app = other.pointer, 1, APP_BRIDGE
        self._move_and(join)

    def _leave_bridge(self) -> None:
        other, self._bridged_to = self._bridged_to, None
        self.session.partner = self.session.bridged = 0
        if other is not None:
            C.pthread_rwlock_unlock(other.session.session_lock)
            if self.session.state >= ChannelState.HANGUP:
                other.hangup()

    # What the C functions need

    def headers(self) -> dict[str, str]:
        """The channel data of an event."""
        state = ChannelState(self.session.state)
        answer = "answered" if self.session.answered else "early" if self.session.early_media else "ringing"
        basic = {"Unique-ID": self.uuid, "Channel-Name": f"embedded/{self.uuid}",
                 "Channel-State": f"CS_{state.name}", "Channel-State-Number": str(int(state)),
                 "Answer-State": "hangup" if state >= ChannelState.HANGUP else answer}
        return basic | {f"variable_{name}": value for name, value in self.variables.copy().items()}

    def text(self, value: str) -> int:
        """The address of `value` as a C string that lives as long as the call; the same one every time."""
        if value not in self._texts:
            self._texts[value] = self.pool.strdup(value.encode())
        return self._texts[value]

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the call is destroyed and its thread has ended; False after `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()
