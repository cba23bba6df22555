from __future__ import annotations

import ctypes
import gc
import threading
import weakref
from typing import Any, Iterator

import pytest

from freeswitch_audio_stream.errors import SwitchError
from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import Application, LogLevel, Session, Switch, layouts


class Recorder:
    """A module that notes what it is called for."""

    def __init__(self, embedded: EmbeddedSwitch) -> None:
        self.switch = Switch(embedded.resolve)
        self.commands: list[tuple[str, str | None]] = []
        self.applications: list[tuple[str, str, str | None]] = []
        self.shutdowns = 0

    def register(self) -> Any:
        return self.switch.register(
            "mod_recorder", "recorder", "<text>", self.on_command, self.on_application, self.on_shutdown,
            completions=["add recorder ::console::list_uuid"], description="Notes what it is called for")

    def on_command(self, arguments: str, uuid: str | None) -> str:
        self.commands.append((arguments, uuid))
        return f"+OK {arguments}\n"

    def on_application(self, session: Session, arguments: str) -> None:
        self.applications.append((session.uuid, arguments, threading.current_thread().name))
        session.set_variable("recorder_result", "+OK")

    def on_shutdown(self) -> None:
        self.shutdowns += 1


@pytest.fixture
def embedded() -> Iterator[EmbeddedSwitch]:
    embedded = EmbeddedSwitch()
    yield embedded
    embedded.shutdown()


def test_commands_and_completion(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)
    recorder.register()
    assert embedded.execute("recorder one two") == "+OK one two\n"
    assert embedded.execute("recorder") == "+OK \n"
    assert recorder.commands == [("one two", None), ("", None)]
    assert embedded.modules.completions == ["add recorder ::console::list_uuid"]
    assert "not found" in embedded.execute("nothing at all")


def test_completions_do_not_become_more_with_every_load(embedded: EmbeddedSwitch) -> None:
    for _ in range(3):
        Recorder(embedded).register().unload()
    Recorder(embedded).register()
    embedded.modules.completions.append("add recorder_of_somebody_else")
    assert embedded.modules.completions == ["add recorder ::console::list_uuid", "add recorder_of_somebody_else"]


def addresses(registration: Any) -> list[Any]:
    """What the switch has been given."""
    callbacks = [registration._load, registration._shutdown, registration._api,
                 *(application.callback for application in registration._applications)]
    texts = [*registration._strings.values(), *(text for application in registration._applications
                                                for text in application._strings.values())]
    return [*(ctypes.cast(callback.function, ctypes.c_void_p).value for callback in callbacks),
            *(ctypes.addressof(text) for text in texts)]


def test_what_the_switch_may_still_call_is_used_again(embedded: EmbeddedSwitch) -> None:
    """Nothing of it can be freed, so every further load has to do with what is there."""
    first = Recorder(embedded)
    registration = first.register()
    given = addresses(registration)
    registration.unload()
    second = Recorder(embedded)
    registration = second.register()
    assert addresses(registration) == given
    assert embedded.execute("recorder x") == "+OK x\n"
    assert (first.commands, second.commands) == ([], [("x", None)])
    third = Recorder(EmbeddedSwitch())
    assert not set(addresses(third.register())[:4]) & set(given[:4]), "those are in use"
    third.switch.library.switch_loadable_module_unload_module(b"", b"mod_recorder", 0, ctypes.byref(ctypes.c_char_p()))


def test_a_module_that_was_unloaded_is_gone_and_late_calls_do_no_harm(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)
    registration = recorder.register()
    load, shutdown, api, application = (function for function in (
        registration._load.function, registration._shutdown.function, registration._api.function,
        registration._applications[0].callback.function))
    registration.unload()
    left = weakref.ref(recorder)
    del recorder, registration
    gc.collect()
    assert left() is None
    answers: list[bytes] = []
    write = layouts.RawWriteFunction(lambda stream, data, size: answers.append(data[:size]) or 0)
    stream = layouts.StreamHandle(raw_write_function=ctypes.cast(write, ctypes.c_void_p).value)
    assert load(0, 0) != 0 and shutdown() == 0
    application(0, b"start")
    assert api(b"list", None, ctypes.addressof(stream)) == 0
    assert answers == [b"-ERR the module is not loaded\n"]


def test_dialplan(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)
    recorder.register()
    call = embedded.call("abc")
    assert call.application("recorder", "from the dialplan")
    assert recorder.applications == [("abc", "from the dialplan", "session abc")]
    assert call.variables["recorder_result"] == "+OK"
    assert call.command("recorder", "in an expansion") == "+OK in an expansion\n"
    assert recorder.commands == [("in an expansion", "abc")]
    assert not call.application("no_such_application")


def test_further_applications(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)
    heard: list[tuple[str, str, str]] = []

    def application(name: str) -> Application:
        return Application(name, "notes", "<text>", lambda session, text: heard.append((name, session.uuid, text)))

    recorder.switch.register("mod_recorder", "recorder", "<text>", recorder.on_command, recorder.on_application,
                             recorder.on_shutdown, applications=[application("first"), application("second")])
    call = embedded.call("abc")
    for name in ("second", "recorder", "first"):
        assert call.application(name, f"to {name}")
    assert heard == [("second", "abc", "to second"), ("first", "abc", "to first")]
    assert [text for _, text, _ in recorder.applications] == ["to recorder"]
    assert embedded.execute("unload mod_recorder") == "+OK\n"
    assert not call.application("first")


def test_an_application_that_fails_is_told(embedded: EmbeddedSwitch) -> None:
    def fail(session: Session, text: str) -> None:
        raise ZeroDivisionError("on purpose")

    recorder = Recorder(embedded)
    recorder.switch.register("mod_recorder", "recorder", "", recorder.on_command, recorder.on_application,
                             recorder.on_shutdown, applications=[Application("failing", "fails", "", fail)])
    assert embedded.call("abc").application("failing")
    assert [line.level for line in embedded.log_lines if "ZeroDivisionError" in line.text] == [LogLevel.ERROR]


def test_errors_stay_on_this_side(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)

    def fail(*arguments: object) -> Any:
        raise ZeroDivisionError("on purpose")

    for name in ("on_command", "on_application", "on_shutdown"):
        setattr(recorder, name, fail)
    registration = recorder.register()
    assert embedded.execute("recorder x").startswith("-ERR internal error")
    assert embedded.call("abc").application("recorder")
    registration.unload()
    errors = [line.text for line in embedded.log_lines if line.level == LogLevel.ERROR]
    assert len(errors) == 3 and all("ZeroDivisionError" in text for text in errors)


def test_unload_waits_for_no_one(embedded: EmbeddedSwitch) -> None:
    entered, leave = threading.Event(), threading.Event()
    recorder = Recorder(embedded)

    def block(arguments: str, uuid: str | None) -> str:
        entered.set()
        leave.wait()
        return "+OK\n"

    recorder.on_command = block  # type: ignore[method-assign]
    registration = recorder.register()
    thread = threading.Thread(target=embedded.execute, args=("recorder x",))
    thread.start()
    entered.wait()
    with pytest.raises(SwitchError, match="in use"):
        registration.unload()
    assert embedded.unload("mod_recorder") == "-ERR unloading module [Module in use.]\n"
    leave.set()
    thread.join()
    assert embedded.execute("unload mod_recorder") == "+OK\n"
    assert recorder.shutdowns == 1
    with pytest.raises(SwitchError, match="No such module"):
        registration.unload()


def test_an_allowlist_is_noticed(embedded: EmbeddedSwitch) -> None:
    embedded.modules.allowlist = {"mod_commands"}
    with pytest.raises(SwitchError, match="interface-allowlist"):
        Recorder(embedded).register()
    assert not embedded.modules.loaded
    embedded.modules.allowlist.add("mod_recorder")
    Recorder(embedded).register()


def test_shutdown_reaches_modules_while_calls_are_up(embedded: EmbeddedSwitch) -> None:
    recorder = Recorder(embedded)
    call = embedded.call("abc")
    session = recorder.switch.locate("abc")
    assert session is not None
    recorder.on_shutdown = session.unlock  # type: ignore[method-assign]
    recorder.register()
    embedded.shutdown()
    assert call.destroyed.is_set()
    names = [event.name for event in embedded.events]
    assert names.index("SHUTDOWN") < names.index("CHANNEL_DESTROY")
