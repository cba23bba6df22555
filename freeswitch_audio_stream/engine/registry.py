"""All streams of the process, and what the commands do to them."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Callable

import orjson

from ..audio import Track
from ..commands import (ClearPlayback, Command, GracefulShutdown, ListStreams, MintToken, Pause, PausePlayback,
                        Resume, ResumePlayback, SendText, Start, Status, Stop, parse)
from ..errors import CallNotFound, CapacityRefused, CommandError, MediaNotFound, RefusedError, SettingError
from ..realtime.core import Core, Worker
from ..realtime.path import MediaPath
from .call import Call
from .conversion import Conversion
from .digits import Digits
from .dispatcher import Dispatcher, Job
from .guests import PREFIX, Arrival, Guest, GuestBook, Visit
from .planning import Plan, ResolveSettings, make_plan
from .states import State
from .sound_files import SoundFiles
from .stream import Stream

Locate = Callable[[str], "Call | None"]
_SHUTDOWN_DRAIN_SECONDS = 0.2
_SOUNDS_SECONDS = 2.0  # between two looks whether the call of some files is over
_GUEST_RATE = 8000  # Hz, that of every encapsulation
_GUEST_SETTINGS = {"chunk-ms": "20", "reconnect": "false"}
_Key = tuple[str, str]


class Registry:
    """The streams, by call and stream id. Methods may be called on any Python thread; none waits for the network."""

    def __init__(self, core: Core, locate: Locate, resolve_settings: ResolveSettings, max_streams: int,
                 on_fault: Callable[[BaseException], None], on_warning: Callable[[str], None],
                 guests: GuestBook = GuestBook(0, 0)) -> None:
        """`locate(uuid)` answers a call that is held until its `release`, or None.
        `resolve_settings(variable, prefix, dialect)` answers a stream's settings or raises SettingError. `on_fault` is
        told of defects, `on_warning` of what concerns no single stream. `guests` counts the clients that `attach`
        lets in.
        """
        self._core = core
        self._locate = locate
        self._resolve_settings = resolve_settings
        self._max_streams = max_streams
        self._guests = guests
        self._streams: dict[_Key, Stream | None] = {}  # None: a start is under way
        self.mint: Callable[[MintToken], str] | None = None
        """Makes tokens for the clients of the media server; None while that does not run."""
        self._dispatcher_of: dict[Stream, Dispatcher] = {}  # every stream that has not ended
        self._sounds = SoundFiles()
        self._digits = Digits(core.digits, on_warning)
        self._leaving: list[Stream] = []  # ended, but a thread of their TLS may still be sending the last bytes
        self._changed = threading.Condition()
        self._open = True
        self._dispatchers = {worker: Dispatcher(worker, on_fault) for worker in core.workers}
        self._dispatchers[core.workers[0]].on_wake = self._share_digits
        for dispatcher in self._dispatchers.values():
            dispatcher.start()

    @property
    def is_open(self) -> bool:
        """Whether streams can be started: until `shutdown`."""
        return self._open

    def execute(self, line: str, is_private: bool = True) -> str:
        """Carry out a command and answer it: ``+OK …``, ``-USAGE: …``, ``-ERR …`` or JSON.

        An answer that is not `is_private`, because others than the asker see it, is never a token.
        """
        try:
            command = parse(line)
            if isinstance(command, MintToken) and not is_private:
                raise RefusedError("as an application this would put the token into a channel variable, and with it "
                                   "into events and CDRs: ask for it by fs_cli or the event socket")
            return self._run(command)
        except CommandError as error:
            return error.reply

    def _run(self, command: Command) -> str:
        if isinstance(command, Start):
            return self._start(command)
        if isinstance(command, ListStreams):
            return self._list()
        if isinstance(command, MintToken):
            return self._mint(command)
        stream = self._find(command.uuid, command.stream_id)
        if isinstance(command, Status):
            return orjson.dumps(stream.status()).decode()
        if isinstance(command, SendText):
            stream.send_text(command.text)
        elif isinstance(command, (Pause, Resume)):
            stream.capture.pause(isinstance(command, Pause))
        elif isinstance(command, (PausePlayback, ResumePlayback)):
            # Not at once: clear_play, resume_play must not play what the former clears.
            self._post(stream, lambda: stream.path.pause_playback(isinstance(command, PausePlayback)))
        elif isinstance(command, ClearPlayback):
            self._post(stream, stream.player.clear)
        elif isinstance(command, (Stop, GracefulShutdown)):
            self._end(stream, command)
        return "+OK Success"

    def _mint(self, command: MintToken) -> str:
        if self.mint is None:
            raise RefusedError("the media server, for whose clients tokens are, does not run: set media-server-address "
                               "in audio_stream.conf.xml; if it is set, the log says why it has not started")
        if command.kind == "call" and not self.has_call(command.name):
            raise _no_such_call(command.name)
        return f"+OK {self.mint(command)}"

    def _post(self, stream: Stream, job: Job) -> None:
        dispatcher = self._dispatcher_of.get(stream)
        if dispatcher is None:
            raise RefusedError(f"stream {stream.plan.info.stream_id!r} has just ended")
        dispatcher.post(lambda: job() if stream in self._dispatcher_of else None)  # by then it may have ended

    # Starting.

    def attach(self, guest: Guest) -> Arrival:
        """Attach a client to its call: captures from now on, and waits for the end of its handshake.

        What is answered must be given a connection, or told that there is none. Raises CallNotFound, MediaNotFound
        (no early media is asked for), CapacityRefused or another RefusedError.
        """
        call = self._find_call(guest.uuid)
        try:
            if not call.has_media():
                raise MediaNotFound("the call has no media: it is not answered yet, or its audio does not pass "
                                    "through FreeSWITCH")
        finally:
            call.release()
            call.forget()
        visit = Visit(guest, self._guests)
        try:
            self._start_visit(visit)
        except BaseException:
            visit.leave()
            raise
        return visit.arrival

    def _start_visit(self, visit: Visit) -> None:
        guest = visit.guest
        for number in itertools.count(1):
            command = Start(guest.uuid, f"{PREFIX}{number}", guest.resource, Track.INBOUND, _GUEST_RATE, 0, True,
                            prefix={**_GUEST_SETTINGS, "protocol": guest.protocol})
            with self._changed:
                if (command.uuid, command.stream_id) in self._streams:
                    continue
                self._reserve((command.uuid, command.stream_id))
            self._begin(command, visit)
            return

    def _start(self, command: Start) -> str:
        with self._changed:
            self._reserve((command.uuid, command.stream_id))
        self._begin(command)
        return "+OK Success"

    def _begin(self, command: Start, visit: Visit | None = None) -> None:
        """Start a stream whose id is reserved."""
        key = (command.uuid, command.stream_id)
        try:
            stream = self._make(command, visit)
            stream.attach()
        except BaseException:
            with self._changed:
                self._streams.pop(key, None)
                self._changed.notify_all()
            raise
        with self._changed:
            self._streams[key] = stream
            self._dispatcher_of[stream].post(stream.begin)
            self._changed.notify_all()

    def _reserve(self, key: _Key) -> None:
        """Take a stream id; the lock is held."""
        if not self._open:
            raise CapacityRefused("the module is being unloaded")
        if key in self._streams:
            raise RefusedError(f"stream id {key[1]!r} is in use on this call: stop that stream first, or choose "
                               "another id")
        if len(self._dispatcher_of) >= self._max_streams:
            raise CapacityRefused(f"{self._max_streams} streams run already: raise max-streams in "
                                  "audio_stream.conf.xml")
        self._streams[key] = None

    def _find_call(self, uuid: str) -> Call:
        call = self._locate(uuid)
        if call is None:
            raise _no_such_call(uuid)
        return call

    def has_call(self, uuid: str) -> bool:
        """Whether there is such a call that has not hung up."""
        call = self._locate(uuid)
        if call is None:
            return False
        call.release()
        call.forget()
        return True

    def _make(self, command: Start, visit: Visit | None) -> Stream:
        call = self._find_call(command.uuid)
        try:
            call.ensure_media()
            plan = make_plan(command, call, self._resolve_settings)
            path, worker = self._core.open_path(*plan.form)
            conversion = self._convert(plan, call, path, worker)
        except BaseException as error:
            call.release()
            call.forget()
            if isinstance(error, SettingError):
                raise RefusedError(str(error)) from error
            if isinstance(error, IndexError):
                raise CapacityRefused("no more streams fit into this process") from error
            raise
        dispatcher = self._dispatchers[worker]
        stream = Stream(plan, call, path, conversion, dispatcher, self._sounds, self._ended, visit)
        with self._changed:
            self._dispatcher_of[stream] = dispatcher
        call.hook_digits(self._core.digits.hook_address)
        return stream

    def _convert(self, plan: Plan, call: Call, path: MediaPath, worker: Worker) -> Conversion | None:
        """What brings the call's audio to the wire's rate where the compiled core is not to."""
        if plan.settings.resampler != "soxr" or call.read_rate in (0, plan.info.rate):
            return None
        try:
            return Conversion(self._core, worker, path.format, call.read_rate, path)
        except IndexError:
            self._core.close_path(path)
            raise

    # Ending.

    def _end(self, stream: Stream, command: Stop | GracefulShutdown) -> None:
        if isinstance(command, GracefulShutdown):
            self._post(stream, lambda: stream.finish_gracefully(command.reason))
            return
        # The id is free at once; the stream says goodbye to its server behind our back.
        with self._changed:
            self._streams.pop((command.uuid, command.stream_id), None)
        self._post(stream, lambda: _stop(stream, command.reason))

    def _ended(self, stream: Stream) -> None:
        dispatcher = self._dispatcher_of[stream]
        for path in {stream.path, stream.capture}:
            dispatcher.forget(path.index)
            self._core.close_path(path)
        uuid = stream.plan.info.uuid
        if self._sounds.has(uuid):
            dispatcher.call_later(0, lambda: self._remove_sounds(uuid, dispatcher))
        key = (stream.plan.info.uuid, stream.plan.info.stream_id)
        with self._changed:
            if self._streams.get(key) is stream:
                del self._streams[key]
            del self._dispatcher_of[stream]
            self._leaving = [other for other in self._leaving if not other.link.join(0)] + [stream]
            self._changed.notify_all()
        if stream.visit:
            stream.visit.end()

    def _remove_sounds(self, uuid: str, dispatcher: Dispatcher) -> None:
        """The files of a call stay as long as it does: the application may still play them."""
        if self.has_call(uuid):
            dispatcher.call_later(_SOUNDS_SECONDS, lambda: self._remove_sounds(uuid, dispatcher))
        else:
            self._sounds.remove(uuid)

    def shutdown(self, seconds: float) -> bool:
        """End every stream and every thread; False if something did not end in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._open = False
            # Until a start is over, its own thread is in charge of the call's bugs.
            self._changed.wait_for(lambda: None not in self._streams.values(), max(0.0, 0.25 * seconds))
            for stream, dispatcher in self._dispatcher_of.items():
                dispatcher.post(lambda stream=stream: _shut_down(stream))  # type: ignore[misc]
            self._changed.wait_for(lambda: not self._dispatcher_of, max(0.0, 0.75 * seconds))
            clean = not self._dispatcher_of
            leaving = self._leaving
        clean = all([stream.link.join(max(0.0, deadline - time.monotonic())) for stream in leaving]) and clean
        self._sounds.remove_all()
        stopped = [dispatcher.stop(deadline) for dispatcher in self._dispatchers.values()]
        return self._core.stop(max(0.0, deadline - time.monotonic())) and all(stopped) and clean

    # Looking.

    def _find(self, uuid: str, stream_id: str) -> Stream:
        with self._changed:
            stream = self._streams.get((uuid, stream_id))
            if stream is not None:
                return stream
            others = sorted(other for call, other in self._streams if call == uuid)
        hint = f"this call has: {', '.join(others)}" if others else "this call has no stream"
        raise RefusedError(f"no stream {stream_id!r} on call {uuid!r}: {hint}")

    def _list(self) -> str:
        with self._changed:
            streams = sorted(self._dispatcher_of, key=lambda stream: stream.plan.info.stream_id)
        return orjson.dumps([stream.status() for stream in streams]).decode()

    def _share_digits(self) -> None:
        for digit in self._digits.take():
            with self._changed:
                streams = [(stream, dispatcher) for stream, dispatcher in self._dispatcher_of.items()
                           if stream.attachment.call.session == digit.session and not stream.attachment.released]
            for stream, dispatcher in streams:
                dispatcher.post(lambda s=stream, d=digit: s.send_digit(d.digit, d.duration_ms))  # type: ignore[misc]


def _no_such_call(uuid: str) -> CallNotFound:
    return CallNotFound(f"no such call: {uuid!r} is not the UUID of a call that is up (see 'show channels')")


def _stop(stream: Stream, reason: str) -> None:
    if stream.state is State.DRAINING:
        stream.hurry()
    else:
        stream.finish("requested", reason)


def _shut_down(stream: Stream) -> None:
    if stream.state is State.DRAINING:
        stream.hurry()
    else:
        stream.finish("shutdown", seconds=_SHUTDOWN_DRAIN_SECONDS)
