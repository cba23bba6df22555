from __future__ import annotations

import ctypes
from functools import partial

import pytest

from freeswitch_audio_stream.errors import MissingSymbols, UnsupportedVersion
from freeswitch_audio_stream.simulator import EmbeddedSwitch
from freeswitch_audio_stream.switch import Switch
from freeswitch_audio_stream.switch.library import load, process_symbols
from freeswitch_audio_stream.switch.signatures import COMPILED_CORE, SIGNATURES


def test_the_embedded_switch_has_every_function() -> None:
    embedded = EmbeddedSwitch()
    library = load(embedded.resolve)
    assert all(library.address(name) == embedded.resolve(name) for name in SIGNATURES)
    assert set(COMPILED_CORE) <= set(SIGNATURES)
    assert embedded.resolve("switch_no_such_function") is None


def test_all_missing_names_are_told_at_once() -> None:
    gone = {"switch_log_printf", "switch_core_media_bug_add", "switch_xml_free"}
    embedded = EmbeddedSwitch()
    with pytest.raises(MissingSymbols) as caught:
        Switch(lambda name: None if name in gone else embedded.resolve(name))
    assert set(caught.value.names) == gone
    assert all(name in str(caught.value) for name in gone)


def test_a_process_that_is_no_switch() -> None:
    resolve = process_symbols()
    assert resolve("free")
    assert resolve("switch_log_printf") is None
    with pytest.raises(MissingSymbols):
        Switch()


def test_unknown_functions_are_not_to_be_had() -> None:
    library = load(EmbeddedSwitch().resolve)
    with pytest.raises(AttributeError, match="SIGNATURES"):
        library.switch_core_destroy
    with pytest.raises(KeyError):
        library.address("switch_core_destroy")


@pytest.mark.parametrize("version, good", [
    ("1.10.7-release", True), ("1.10.12-release", True), ("1.11.0", True), ("1.11.3-dev", True),
    ("1.10.6-release", False), ("1.9.99", False), ("2.0.0", False), ("..", False), ("1.x.3", False)])
def test_versions(version: str, good: bool) -> None:
    embedded = EmbeddedSwitch()
    texts = [ctypes.create_string_buffer(part.encode()) for part in version.split(".")]
    functions = [ctypes.CFUNCTYPE(ctypes.c_void_p)(partial(ctypes.addressof, text)) for text in texts]
    parts = dict(zip(("switch_version_major", "switch_version_minor", "switch_version_micro"), functions))

    def resolve(name: str) -> int | None:
        if name in parts:
            return ctypes.cast(parts[name], ctypes.c_void_p).value
        return embedded.resolve(name)

    if good:
        assert Switch(resolve).version == version
    else:
        with pytest.raises(UnsupportedVersion, match="1.10.7"):
            Switch(resolve)
