"""What the pages and the README have people type: XML, command lines, JSON; each is tried as far as that can be."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import lru_cache
from typing import Sequence
from xml.etree import ElementTree

import pytest

from freeswitch_audio_stream import commands, module
from freeswitch_audio_stream.__main__ import PROGRAMS
from freeswitch_audio_stream.engine.events.reports import EVENTS

from .pages import CHECKOUT, EXAMPLES, README, blocks, pages, plain, table, words
from .settings_rows import find

pytestmark = pytest.mark.slow

LANGUAGES = {"sh", "xml", "json", "text", "python", "{eval-rst}", ""}
OF_FREESWITCH = {"show", "version", "module_exists", "reloadxml", "unload", "pyrun", "python", "originate",
                 "uuid_setvar"}
SYSTEM = {"python3", "agent/bin/pip", "agent/bin/python", "npm", "node", "apt-get", "fs_cli"}


# Reading

def actions() -> list[tuple[str, str]]:
    """Application and data of every action of a dialplan."""
    return [(action.get("application", ""), action.get("data", "")) for block in blocks("xml")
            for action in ElementTree.fromstring(block).iter("action")]


def shell_lines() -> list[list[str]]:
    """The words of every command that a block has somebody type into a shell."""
    text = "\n".join(blocks("sh"))
    found = []
    while text.strip():
        # A quote may span lines: take lines until the words can be told apart.
        lines = text.split("\n")
        for count in range(1, len(lines) + 1):
            try:
                typed = shlex.split("\n".join(lines[:count]), comments=True)
                break
            except ValueError:
                continue
        else:
            raise AssertionError(f"a quote is not closed: {lines[0]}")
        text = "\n".join(lines[count:])
        if typed:
            found.append(typed)
    return found


def console_lines() -> list[str]:
    """What is said to FreeSWITCH, by ``fs_cli -x`` or in its console."""
    from_shell = [words[2] for words in shell_lines() if words[:2] == ["fs_cli", "-x"]]
    from_console = [line for language in ("text", "") for block in blocks(language) for line in block.splitlines()
                    if re.match(r"uuid_audio_stream .*[^…]$", line)]
    return from_shell + from_console


def lines_for_the_module() -> list[str]:
    """What the examples have FreeSWITCH do, as the command gets it."""
    from_console = [line.removeprefix(f"{module.API_NAME} ") for line in console_lines()
                    if line.startswith(f"{module.API_NAME} ")]
    from_dialplan = [data for application, data in actions() if application == module.API_NAME]
    programs = "\n".join(file.read_text() for file in EXAMPLES.iterdir())
    from_programs = [f"<uuid> {line}" for line in re.findall(r"\bdemo start (?:ws|\$\{server)[^\"`\n]+", programs)]
    lines = from_console + from_dialplan + from_programs
    return [re.sub(r"\$?\{uuid\}|<uuid>", "1f0c", line).replace("${server}", "ws://h/") for line in lines]


@lru_cache(maxsize=None)
def help_of(*program: str) -> str:
    done = subprocess.run([sys.executable, *program, "--help"], cwd=CHECKOUT, capture_output=True, text=True,
                          env={"COLUMNS": "200", "PYTHONPATH": str(CHECKOUT)}, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--help"}


# Blocks

def test_blocks_are_of_known_kinds() -> None:
    text = "\n".join([*pages().values(), README.read_text()])
    opened = [line[3:].strip() for number, line in enumerate(re.findall(r"^```.*$", text, re.MULTILINE))
              if number % 2 == 0]
    assert set(opened) <= LANGUAGES


def test_programs_are_files_that_are_run() -> None:
    """A program in the text is one of the examples, word for word; pages include the files themselves."""
    examples = [file.read_text().strip() for file in EXAMPLES.iterdir()]
    assert [block for block in blocks("python") if block.strip() not in examples] == []
    assert not any(blocks(language) for language in ("javascript", "js", "py"))


def test_xml_is_well_formed() -> None:
    assert len([ElementTree.fromstring(block) for block in blocks("xml")]) >= 8


def test_dialplans_are_such() -> None:
    """Every action stands in a condition with an expression, in an extension with a name where that is shown."""
    for block in blocks("xml"):
        root = ElementTree.fromstring(block)
        for condition in root.iter("condition"):
            assert condition.get("field") and re.compile(condition.get("expression", ""))
            assert len(condition) and all(action.get("application") for action in condition)
        assert all(extension.get("name") for extension in root.iter("extension"))


def test_lists_of_settings_in_xml_are_right() -> None:
    params = [param for block in blocks("xml") for param in ElementTree.fromstring(block).iter("param")
              if param.get("name") != "startup-script"]
    assert params and all(find(param.get("name", "")) for param in params)


def test_json_can_be_read() -> None:
    assert len([json.loads(block) for block in blocks("json")]) >= 12


# Commands

def test_there_are_commands_in_the_examples() -> None:
    assert len(lines_for_the_module()) >= 15


@pytest.mark.parametrize("line", lines_for_the_module())
def test_commands_of_the_examples_are_right(line: str) -> None:
    command = commands.parse(line)
    if isinstance(command, commands.Start):
        assert all(find(name) for name in command.prefix)


def test_arguments_of_external_media_are_right() -> None:
    given = [data for application, data in actions() if application == module.MEDIA_APPLICATION]
    assert given
    for data in given:
        assert isinstance(commands.parse(f"u s {module.MEDIA_APPLICATION} {data}"), commands.Start)


@pytest.mark.parametrize("line", console_lines())
def test_commands_to_freeswitch_are_such(line: str) -> None:
    assert line.split()[0] in OF_FREESWITCH | {module.API_NAME}


@pytest.mark.parametrize("typed", shell_lines(), ids=" ".join)
def test_shell_lines_are_right(typed: Sequence[str]) -> None:
    """The program is there, and has the options that it is given."""
    first = typed[1] if typed[0] == "sudo" else typed[0]
    options = options_of(" ".join(typed))
    if first == "./scripts/install":
        assert options <= options_of(help_of("scripts/install"))
    elif first in ("./scripts/demo", "./scripts/bench", "./scripts/soak") or first.endswith("/freeswitch-audio-stream"):
        program = [first.removeprefix("./scripts/")] if first.startswith(".") and "scripts" in first else []
        program += [word for word in typed[1:3] if not word.startswith("-")][:2 - len(program)]
        if program[0] == "bench" or program[1:] and program[0] == "recorder":
            assert options <= options_of(help_of("-m", "freeswitch_audio_stream", *program[:2]))
        else:
            assert program[0] in {known.name for known in PROGRAMS} | {"version"}
            assert options <= options_of(help_of("-m", "freeswitch_audio_stream", program[0]))
    elif first in ("./scripts/test", "./scripts/docs"):
        script = (CHECKOUT / first).read_text()
        assert all(option in script for option in options)
        assert all((CHECKOUT / word).exists() for word in typed[1:] if word.startswith("tests/"))
    elif first == ".venv/bin/python":
        assert (CHECKOUT / typed[1]).exists()
    elif first == "curl":
        if shutil.which("curl") is None:
            pytest.skip("there is no curl here")
        shown = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=True).stdout
        assert options <= options_of(shown)
    else:
        assert first in SYSTEM


def test_the_scripts_start_what_the_pages_say() -> None:
    for name in ("demo", "bench", "soak"):
        assert f"-m freeswitch_audio_stream {name} " in (CHECKOUT / "scripts" / name).read_text()


def test_the_request_that_makes_calls_is_one() -> None:
    requests = pytest.importorskip("freeswitch_audio_stream.http_api.calls")
    bodies = [typed[typed.index("--data-raw") + 1] for typed in shell_lines() if "--data-raw" in typed]
    assert bodies
    for body in bodies:
        assert requests.CallRequest.model_validate_json(body)


# The command line

def test_scripts() -> None:
    for row in table("Script", "What it does"):
        script = CHECKOUT / words(row[0])[0]
        assert script.stat().st_mode & 0o111
    names = {file.name for file in (CHECKOUT / "scripts").iterdir() if file.is_file() and file.stat().st_mode & 0o111}
    assert {words(row[0])[0].rpartition("/")[2] for row in table("Script", "What it does")} == names


def test_programs() -> None:
    named = [plain(row[0]) for row in table("Command", "What it does")]
    assert named == [*(program.name for program in PROGRAMS), "version"]


@pytest.mark.parametrize("header, program", [
    ("Option of agent", ("-m", "freeswitch_audio_stream", "agent")),
    ("Option of demo", ("-m", "freeswitch_audio_stream", "demo")),
    ("Option", ("scripts/install",)),
])
def test_options(header: str, program: tuple[str, ...]) -> None:
    named = {words(row[0])[0].split()[0] for row in table(header, "Meaning")}
    shown = options_of(re.sub(r"(?s)\n\nexample:.*", "", help_of(*program)))
    assert named == shown - ({"--freeswitch"} if header == "Option" else set())


def test_the_event_socket_example_listens_to_every_event() -> None:
    tree = ast.parse((EXAMPLES / "follow.py").read_text())
    names = next(node for node in tree.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(names.value) == EVENTS
