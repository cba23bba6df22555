"""What the border promises and what FreeSWITCH does, as checks that run against any switch.

The embedded switch runs them under pytest (`test_contract`). A real FreeSWITCH runs them from inside, where
its functions are: `run` answers a name and an outcome for each. Both must agree, or the embedded switch
tells lies.
"""

from __future__ import annotations

import ctypes
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Protocol

from freeswitch_audio_stream.errors import SwitchError
from freeswitch_audio_stream.switch import BugEvent, BugFlag, Session, Switch
from freeswitch_audio_stream.switch.layouts import BugCallback, Dtmf, DtmfHook, Frame

PATIENCE = 20.0
"""Seconds to wait for what must happen."""


class Environment(Protocol):
    """A switch and the means to make calls on it. Calls are answered, PCMU at 8000 Hz, 20 ms."""

    switch: Switch

    def call(self, app: str) -> str:
        """Make a call whose caller speaks all the time, and answer its uuid. `app`: ``park``, ``playback``.
        """

    def hang_up(self, uuid: str) -> None:
        """End a call; it may take a moment."""

    def press(self, uuid: str, digit: str) -> None:
        """Have the caller press a key."""

    def command(self, line: str) -> str:
        """Run an API command as the console does."""


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait for `condition` to be true and answer its value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)
    return value


@dataclass
class Bug:
    """A bug whose callback keeps a list of what it was called for, and does `work` each time."""

    work: Callable[[int, BugEvent], int] = lambda bug, event: 1
    calls: list[tuple[BugEvent, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.callback = BugCallback(self._called)
        _kept.append(self)

    def _called(self, bug: int, user: int | None, event: int) -> int:
        try:
            self.calls.append((BugEvent(event), threading.get_ident()))
            return self.work(bug, BugEvent(event))
        except BaseException:
            self.problems.append(traceback.format_exc())
            return 1

    def add(self, session: Session, flags: BugFlag) -> int:
        address = ctypes.cast(self.callback, ctypes.c_void_p).value
        assert address
        return session.add_bug("contract", session.uuid, address, 0, flags)

    def count(self, event: BugEvent) -> int:
        return sum(1 for kind, _ in self.calls if kind == event)


_kept: list[object] = []  # the switch may call back late


class Packet:
    """A frame with memory of its own, to read bugs into or to write."""

    def __init__(self, size: int = 16384) -> None:
        self.memory = (ctypes.c_int16 * (size // 2))()
        self.frame = Frame(data=ctypes.addressof(self.memory), buflen=size)

    def samples(self) -> list[int]:
        return list(self.memory[:self.frame.datalen // 2])


@contextmanager
def call(environment: Environment, app: str = "park") -> Iterator[Session]:
    """A call with a read lock held; at the end the lock goes first, then the call."""
    uuid = environment.call(app)
    session = eventually(lambda: environment.switch.locate(uuid), "a call that can be located")
    try:
        eventually(session.media_ready, "media")
        yield session
    finally:
        with session:
            pass
        environment.hang_up(uuid)


def check_version(environment: Environment) -> None:
    assert environment.switch.version.startswith("1.1")


def check_locate_and_unlock(environment: Environment) -> None:
    assert environment.switch.locate("no-such-call") is None
    with call(environment) as session:
        again = environment.switch.locate(session.uuid)
        assert again is not None and again.pointer == session.pointer
        again.unlock()
        try:
            again.unlock()
            raise AssertionError("a lock was released twice")
        except RuntimeError:
            pass
        borrowed = environment.switch.session(session.pointer)
        assert borrowed.uuid == session.uuid and not borrowed.is_hung_up()


def check_ready_is_made_of_two_parts(environment: Environment) -> None:
    with call(environment) as session:
        assert session.media_ready() and session.is_ready() and session.has_media()


def check_variables(environment: Environment) -> None:
    with call(environment) as session:
        assert session.variable("contract_name") is None
        session.set_variable("contract_name", "Grüße, ${not_expanded}")
        assert session.variable("contract_name") == "Grüße, ${not_expanded}"
        session.set_variable("contract_name", None)
        assert session.variable("contract_name") is None


def check_formats(environment: Environment) -> None:
    with call(environment) as session:
        read, write = session.read_format(), session.write_format()
        assert read is not None and write is not None
        assert (read.rate, read.ptime_us, read.channels, read.samples) == (8000, 20000, 1, 160)
        assert read == write


def check_read_bug(environment: Environment) -> None:
    packet, packets = Packet(), []

    def read(bug: int, event: BugEvent) -> int:
        if event == BugEvent.READ:
            while environment.switch.library.switch_core_media_bug_read(bug, packet.frame, 1) == 0:
                frame = packet.frame
                packets.append((frame.datalen, frame.rate, frame.channels, packet.samples()))
        return 1

    with call(environment) as session:
        bug = Bug(read)
        address = bug.add(session, BugFlag.READ_STREAM)
        assert bug.calls[0] == (BugEvent.INIT, threading.get_ident())
        eventually(lambda: len(packets) >= 5, "packets of the caller")
        assert session.remove_bug(address)
        assert bug.calls[-1] == (BugEvent.CLOSE, threading.get_ident())
        assert not session.remove_bug(address)
        assert bug.count(BugEvent.CLOSE) == 1 and not bug.problems
        assert {event for event, _ in bug.calls} == {BugEvent.INIT, BugEvent.READ, BugEvent.CLOSE}
        assert {packet[:3] for packet in packets} == {(320, 8000, 1)}
        assert any(any(packet[3]) for packet in packets), "the caller was not heard"


def check_fill_is_inverted(environment: Environment) -> None:
    packet, filled, unfilled = Packet(), [], []

    def read(bug: int, event: BugEvent) -> int:
        if event == BugEvent.READ:
            read_function = environment.switch.library.switch_core_media_bug_read
            if read_function(bug, packet.frame, 1) == 0:
                filled.append(1)
            if read_function(bug, packet.frame, 0) == 0:
                unfilled.append(packet.frame.datalen)
        return 1

    with call(environment) as session:  # a parked leg: nobody writes
        bug = Bug(read)
        address = bug.add(session, BugFlag.READ_STREAM | BugFlag.WRITE_STREAM)
        eventually(lambda: len(unfilled) >= 5, "packets")
        session.remove_bug(address)
        assert not filled and set(unfilled) == {320} and not bug.problems


def check_stereo(environment: Environment) -> None:
    packet, packets = Packet(), []

    def read(bug: int, event: BugEvent) -> int:
        frame = packet.frame
        read_function = environment.switch.library.switch_core_media_bug_read
        if event == BugEvent.READ and read_function(bug, frame, 0) == 0:
            packets.append((frame.datalen, frame.samples, frame.channels, packet.samples()))
        return 1

    with call(environment) as session:
        bug = Bug(read)
        address = bug.add(session, BugFlag.READ_STREAM | BugFlag.WRITE_STREAM | BugFlag.STEREO)
        eventually(lambda: len(packets) >= 3, "packets")
        session.remove_bug(address)
        assert {packet[:3] for packet in packets} == {(640, 160, 2)}
        # A side without audio is filled with bytes of 0xFF.
        assert all(set(packet[3][1::2]) == {-1} for packet in packets)


def check_parked_leg_writes_nothing(environment: Environment) -> None:
    with call(environment) as session:
        ours, reader = Bug(), Bug()
        address = ours.add(session, BugFlag.WRITE_REPLACE | BugFlag.FIRST)
        other = reader.add(session, BugFlag.READ_STREAM)
        eventually(lambda: reader.count(BugEvent.READ) >= 10, "the caller")
        session.remove_bug(other)
        assert session.remove_bug(address)
        assert ours.count(BugEvent.WRITE_REPLACE) == 0


def check_write_frame_offers_the_writers_own_frame(environment: Environment) -> None:
    with call(environment) as session:
        codec = session.open_l16_codec(8000, 20, 1)
        packet = Packet(320)
        packet.frame.codec, packet.frame.datalen, packet.frame.samples = codec.pointer, 320, 160
        packet.frame.rate, packet.frame.channels = 8000, 1
        offered = []
        library = environment.switch.library

        def replace(bug: int, event: BugEvent) -> int:
            if event == BugEvent.WRITE_REPLACE:
                frame = Frame.from_address(library.switch_core_media_bug_get_write_replace_frame(bug))
                offered.append((frame.data, frame.datalen, frame.rate, frame.channels))
                library.switch_core_media_bug_set_write_replace_frame(bug, ctypes.addressof(frame))
            return 1

        bug = Bug(replace)
        address = bug.add(session, BugFlag.WRITE_REPLACE | BugFlag.WRITE_STREAM)
        eventually(lambda: library.switch_core_session_write_frame(session.pointer, packet.frame, 0, 0) == 0
                   and offered, "an offered frame")
        assert session.remove_bug(address) and not bug.problems
        assert offered[0] == (ctypes.addressof(packet.memory), 320, 8000, 1)
        events = [event for event, _ in bug.calls]
        assert events.index(BugEvent.WRITE) < events.index(BugEvent.WRITE_REPLACE)
        codec.close()
        codec.close()


def check_first_goes_first(environment: Environment) -> None:
    with call(environment, "playback") as session:
        order = []

        def note(name: str) -> Bug:
            def work(bug: int, event: BugEvent) -> int:
                if event == BugEvent.WRITE_REPLACE:
                    order.append(name)
                return 1
            return Bug(work)

        bugs = [note("earlier").add(session, BugFlag.WRITE_REPLACE),
                note("first").add(session, BugFlag.WRITE_REPLACE | BugFlag.FIRST)]
        eventually(lambda: order.count("first") >= 3, "frames")
        for bug in bugs:
            session.remove_bug(bug)
        seen = order[order.index("first"):]
        assert seen[:4] == ["first", "earlier"] * 2


def check_refusal_prunes(environment: Environment) -> None:
    with call(environment) as session:
        bug = Bug(lambda address, event: 0 if event == BugEvent.READ else 1)
        address = bug.add(session, BugFlag.READ_STREAM)
        eventually(lambda: bug.count(BugEvent.CLOSE), "CLOSE")
        assert bug.count(BugEvent.READ) == 1
        (_, reader), (_, closer) = bug.calls[-2:]
        assert reader == closer != threading.get_ident()
        assert not session.remove_bug(address)


def check_init_may_refuse(environment: Environment) -> None:
    with call(environment) as session:
        bug = Bug(lambda address, event: 0)
        try:
            bug.add(session, BugFlag.READ_STREAM)
            raise AssertionError("a bug was added against its callback")
        except SwitchError:
            assert [event for event, _ in bug.calls] == [BugEvent.INIT]


def check_hangup_closes_once(environment: Environment) -> None:
    with call(environment) as session:
        bug = Bug()
        address = bug.add(session, BugFlag.READ_STREAM | BugFlag.WRITE_STREAM)
        snapshot = session.snapshot()
        environment.hang_up(session.uuid)
        eventually(lambda: bug.count(BugEvent.CLOSE), "CLOSE")
        assert session.is_hung_up() and not session.media_ready() and not session.is_ready()
        assert environment.switch.locate(session.uuid) is None
        assert not session.remove_bug(address)
        try:
            bug.add(session, BugFlag.READ_STREAM)
            raise AssertionError("a bug was added to a call that is over")
        except SwitchError:
            pass
        try:
            session.retain()
            raise AssertionError("a call that is over was locked")
        except SwitchError:
            pass
        environment.switch.fire("contract::after_hangup", "{}", snapshot)
        snapshot.close()
        snapshot.close()
        assert bug.count(BugEvent.CLOSE) == 1 and not bug.problems


def check_dtmf_hook(environment: Environment) -> None:
    digits: list[tuple[bytes, int]] = []

    def hook(session: int, dtmf: int, direction: int) -> int:
        key = Dtmf.from_address(dtmf)
        digits.append((key.digit, key.duration))
        return 0

    callback = DtmfHook(hook)
    _kept.append(callback)
    address = ctypes.cast(callback, ctypes.c_void_p).value or 0
    with call(environment) as session:
        assert session.add_dtmf_hook(address)
        assert not session.add_dtmf_hook(address)
        environment.press(session.uuid, "5")
        eventually(lambda: digits, "a digit")
        assert digits[0][0] == b"5" and digits[0][1] > 0
        assert session.remove_dtmf_hook(address)
        assert not session.remove_dtmf_hook(address)


def check_codec_that_is_not_there(environment: Environment) -> None:
    with call(environment) as session:
        try:
            session.open_l16_codec(8000, 77777, 1)
            raise AssertionError("an impossible codec was opened")
        except SwitchError:
            pass


def check_missing_configuration(environment: Environment) -> None:
    assert environment.switch.configuration("contract-no-such-file.conf") is None


def check_api(environment: Environment) -> None:
    """Commands of the switch and of modules answer in full; one that is not there is told."""
    switch = environment.switch
    with call(environment) as session:
        assert switch.api("uuid_exists", session.uuid) == "true"
    assert switch.api("uuid_exists", "nobody") == "false"
    long = "ä" * 5000
    registration = switch.register("contract_api", "contract_api", "<text>", lambda text, uuid: f" {text}{long}\n",
                                   lambda session, text: None, lambda: None)
    try:
        assert switch.api("contract_api", " one two ") == f"one two{long}"
    finally:
        registration.unload()
    try:
        switch.api("contract_api", "")
    except SwitchError as error:
        assert "no command contract_api" in str(error)
    else:
        raise AssertionError("a command that is not there was carried out")


def check_subclasses(environment: Environment) -> None:
    names = ["contract::one", "contract::two"]
    assert environment.switch.reserve(names) == []
    assert environment.switch.reserve(names) == names
    environment.switch.release(names)
    assert environment.switch.reserve(names) == []
    environment.switch.release(names)
    environment.switch.fire(names[0], None)
    with call(environment) as session:
        environment.switch.fire(names[0], '{"text":"ä"}', session)


def check_module(environment: Environment) -> None:
    ended: list[int] = []

    def answer(arguments: str, uuid: str | None) -> str:
        if arguments == "fail":
            raise ValueError("on purpose")
        return f"+OK [{arguments}] {uuid}\n"

    def register() -> Any:
        return environment.switch.register("mod_contract", "contract_api", "<words>", answer,
                                           lambda session, data: None, lambda: ended.append(1))
    registration = register()
    assert environment.command("contract_api  50% of grüße %s ").strip() == "+OK [50% of grüße %s] None"
    assert environment.command("contract_api fail").startswith("-ERR internal error")
    try:
        register()
        raise AssertionError("one name was loaded twice")
    except SwitchError as error:
        assert "unload" in str(error)
    registration.unload()
    assert ended == [1]
    assert "+OK" not in environment.command("contract_api x")
    register().unload()
    assert ended == [1, 1]


CHECKS: dict[str, Callable[[Environment], None]] = {
    name.removeprefix("check_"): check
    for name, check in list(globals().items()) if name.startswith("check_")}


def run(environment: Environment) -> dict[str, str]:
    """Every check's outcome: ``ok``, or the traceback."""
    outcomes = {}
    for name, check in CHECKS.items():
        try:
            check(environment)
            outcomes[name] = "ok"
        except BaseException:
            outcomes[name] = traceback.format_exc()
    return outcomes
