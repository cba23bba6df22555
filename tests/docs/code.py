"""Reading the code, for tests that compare the documentation with it."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Iterator

from .pages import CHECKOUT

PACKAGE = CHECKOUT / "freeswitch_audio_stream"
SHIM = CHECKOUT / "scripts" / "audio_stream.py"


def trees(*folders: str | Path) -> Iterator[ast.AST]:
    """The syntax of all that runs inside FreeSWITCH, or of these folders and files of the package."""
    for folder in folders or ("", SHIM):
        place = PACKAGE / folder
        assert place.exists(), f"{place} has moved"
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield from ast.walk(ast.parse(file.read_text()))


def texts(node: ast.expr) -> list[str]:
    """The values that an expression may have, as far as they are constants."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def sayings(node: ast.expr) -> list[str]:
    """The texts that an expression may make, as far as they stand there, with … for what is put in."""
    if isinstance(node, ast.IfExp):
        return sayings(node.body) + sayings(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)]
    return texts(node)


def raised_texts(names: Iterable[str], *folders: str) -> set[str]:
    """The texts of errors of these classes, but for those that say nothing of their own."""
    made = {text for name in names for call in calls(name, *folders) if call.args for text in sayings(call.args[0])}
    return {text for text in made if re.search(r"\w{3}", text)}


def calls(name: str, *folders: str) -> Iterator[ast.Call]:
    """The calls of a function or method of that name."""
    for node in trees(*folders):
        if isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if called == name:
                yield node


def first_texts(name: str, *folders: str) -> set[str]:
    """The first arguments of such calls."""
    return {text for call in calls(name, *folders) if call.args for text in texts(call.args[0])}


def keys(file: str, function: str) -> list[str]:
    """The keys of the dict that a method of the stream answers."""
    node, = (node for node in trees(f"engine/{file}.py")
             if isinstance(node, ast.FunctionDef) and node.name == function)
    answer = next(inner for inner in ast.walk(node) if isinstance(inner, ast.Dict))
    return [str(key.value) for key in answer.keys if isinstance(key, ast.Constant)]


@lru_cache(maxsize=None)
def sentences() -> str:
    """Every text of the code, a line each, with … for what is put in."""
    found = []
    for node in trees():
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…"
                                 for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return "\n".join(text.replace("\n", " ") for text in found)


def pattern(text: str) -> str:
    """A regular expression for a text in which … stands for anything."""
    return ".*".join(map(re.escape, text.split("…")))


def is_said(text: str) -> bool:
    """Whether the code has a text like this; it may be the end of a longer one."""
    ending = pattern(text.removeprefix("… "))
    return re.search(f"^(.*… )?{ending}$", sentences(), re.MULTILINE) is not None
