"""The tree in the docstring of errors.py is the tree of the classes."""

import inspect

from freeswitch_audio_stream import errors
from freeswitch_audio_stream.errors import AudioStreamError, MissingSymbols, RefusedError, UsageError


def _documented() -> dict[str, str]:
    """Class name to the name of its parent, read from the drawing."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if not name.endswith(("Error", "Timeout", "Found", "Refused", "Symbols", "Version", "Ended", "Step", "Full",
                              "Failed")) or name == line:
            continue
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)]
    assert {cls.__name__: cls.__base__.__name__ for cls in classes if cls.__base__} == _documented()
    assert all(issubclass(cls, AudioStreamError) for cls in classes)


def test_replies_begin_as_freeswitch_clients_expect() -> None:
    assert UsageError("syntax").reply == "-USAGE: syntax"
    assert RefusedError("no such call").reply == "-ERR no such call"


def test_missing_symbols_are_all_named_in_order() -> None:
    error = MissingSymbols(["switch_b", "switch_a"])
    assert error.names == ("switch_a", "switch_b")
    assert "switch_a, switch_b" in str(error)
