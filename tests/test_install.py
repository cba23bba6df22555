"""scripts/install against FreeSWITCH installations made of nothing but the files it looks at."""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parent.parent
CONF = CHECKOUT / "conf/autoload_configs/audio_stream.conf.xml"
PYTHON_CONF = b"""\
<configuration name="python.conf" description="PYTHON Configuration">\r
  <settings>\r
    <!--<param name="startup-script" value="audio_stream"/> </settings> -->\r
    <param name="startup-script" value="other"/>\r
  </settings>\r
</configuration>\r
"""

LAYOUTS = {
    "fhs": ("opt/fs", "opt/fs/lib/freeswitch/mod", "opt/fs/etc/freeswitch",
            "opt/fs/share/freeswitch/scripts"),
    "classic": ("fs", "fs/mod", "fs/conf", "fs/scripts"),
    "packaged": ("usr", "usr/lib/freeswitch/mod", "etc/freeswitch", "usr/share/freeswitch/scripts"),
}

FAKE_PYTHON = """\
#!/bin/sh
echo "$*" >> "{log}"
case "$*" in
    *version_info*) echo {version} ;;
    *ensurepip*) test ! -e "{log}.no-venv" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*) for source; do :; done; ls "${{source%%[[]*}}" >> "{log}"; test ! -e "{log}.no-pip" ;;
    *compile_core) test ! -e "{log}.no-compiler" ;;
esac
"""


def _load_installer() -> Any:
    loader = SourceFileLoader("installer", str(CHECKOUT / "scripts/install"))
    spec = importlib.util.spec_from_loader("installer", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["installer"] = module  # where dataclasses look annotations up
    loader.exec_module(module)
    return module


installer = _load_installer()


def elf(*needed: str, runpath: str = "") -> bytes:
    """The smallest shared library that needs others: one loaded segment, at another address than in the
    file."""
    strings, entries, base = b"\0", [], 0x400000
    for tag, text in [*((1, name) for name in needed), *([(29, runpath)] if runpath else [])]:
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    begin = 64 + 2 * 56
    dynamic_size = 16 * (len(entries) + 2)
    entries += [(5, base + begin + dynamic_size), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    size = begin + dynamic_size + len(strings)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0,
                         0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
    table = struct.pack("<IIQQQQQQ", 2, 6, begin, base + begin, base + begin, dynamic_size, dynamic_size, 8)
    return header + load + table + dynamic + strings


class Installation:
    """A FreeSWITCH of files in `root`, and a Python that only writes down what it is asked to do."""

    def __init__(self, root: Path, layout: str = "fhs", version: str = "3.11") -> None:
        prefix, modules, conf, scripts = (root / folder for folder in LAYOUTS[layout])
        self.root, self.prefix, self.modules, self.scripts = root, prefix, modules, scripts
        self.settings = conf / "autoload_configs"
        for folder in (modules, self.settings, scripts):
            folder.mkdir(parents=True)
        self.module = modules / "mod_python3.so"
        self.module.write_bytes(elf("libfreeswitch.so.1", f"libpython{version}.so.1.0", "libc.so.6"))
        self.venv = modules.parent / "audio_stream-venv"
        self.log = root / "python.log"
        self.python = self.make_python(version)

    def make_python(self, version: str) -> Path:
        python = self.root / f"python{version}"
        python.write_text(FAKE_PYTHON.format(log=self.log, version=version))
        python.chmod(0o755)
        return python

    def install(self, *arguments: str) -> int:
        status: int = installer.main(
            ["--freeswitch", str(self.prefix), "--python", str(self.python), *arguments])
        return status

    def files(self) -> dict[str, bytes]:
        """Everything but the log of the fake Python."""
        return {str(file.relative_to(self.root)): file.read_bytes() for file in self.root.rglob("*")
                if file.is_file() and file != self.log}


@pytest.fixture
def freeswitch(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(params=LAYOUTS)
def any_freeswitch(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    return Installation(tmp_path, request.param)


def test_every_layout(any_freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch = any_freeswitch
    assert freeswitch.install() == 0
    script = (freeswitch.scripts / "audio_stream.py").read_text()
    assert f"SITE_PACKAGES = '{freeswitch.venv}/lib/python3.11/site-packages'" in script
    assert (freeswitch.settings / "audio_stream.conf.xml").read_bytes() == CONF.read_bytes()
    assert not (freeswitch.settings / "python.conf.xml").exists()
    assert (freeswitch.venv / "bin/python").exists()
    output = capsys.readouterr().out
    assert "modules.conf.xml" in output and "startup-script" in output and "fs_cli -x" in output


def test_what_pip_is_given(freeswitch: Installation) -> None:
    assert freeswitch.install() == 0
    words = freeswitch.log.read_text().split()
    assert {"setup.cfg", "pyproject.toml", "README.md", "LICENSE", "freeswitch_audio_stream"} <= set(words)
    assert not {"tests", "build"} & set(words)


def test_the_media_code_is_compiled_beforehand(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """By the interpreter that FreeSWITCH's Python is, with nothing from our environment, when all else is there."""
    assert freeswitch.install("--enable") == 0
    assert freeswitch.log.read_text().splitlines()[-1] == "-I -m freeswitch_audio_stream.realtime.compile_core"
    assert f"compile the media code for this machine's processor into {freeswitch.venv}/compiled" \
        in capsys.readouterr().out


def test_media_code_that_cannot_be_compiled(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch.log.with_name("python.log.no-compiler").touch()
    assert freeswitch.install() == 1
    assert capsys.readouterr().err.startswith("All else is installed, but the media code could not be compiled, which "
                                              "FreeSWITCH will try at its start: ")
    assert (freeswitch.scripts / "audio_stream.py").exists()


def test_what_the_media_server_needs(freeswitch: Installation) -> None:
    assert freeswitch.install() == 0
    assert "media-server]" not in freeswitch.log.read_text() and "fastapi" not in freeswitch.log.read_text()
    assert freeswitch.install("--media-server") == 0
    assert "[media-server]\n" in freeswitch.log.read_text()
    assert "import freeswitch_audio_stream, numba, orjson, soxr, websocket, fastapi" in freeswitch.log.read_text()


def test_folders_can_be_named(tmp_path: Path) -> None:
    freeswitch = Installation(tmp_path / "fs")
    other = tmp_path / "other"
    other.mkdir()
    assert freeswitch.install("--script-dir", str(other / "scripts"), "--conf-dir", str(other / "conf"),
                              "--venv", str(other / "venv"), "--mod-dir", str(freeswitch.modules)) == 0
    assert (other / "scripts/audio_stream.py").exists()
    assert (other / "conf/autoload_configs/audio_stream.conf.xml").exists()
    assert (other / "venv/bin/python").exists()
    assert not freeswitch.venv.exists()


def test_a_dry_run_changes_nothing(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    before = freeswitch.files()
    assert freeswitch.install("--dry-run", "--enable") == 0
    assert freeswitch.files() == before
    output = capsys.readouterr().out
    for words in (str(freeswitch.venv), "Would compile the media code", "audio_stream.py", "audio_stream.conf.xml",
                  "python.conf.xml", "Next:"):
        assert words in output


def test_it_can_be_repeated(freeswitch: Installation) -> None:
    (freeswitch.settings / "python.conf.xml").write_bytes(PYTHON_CONF)
    assert freeswitch.install("--enable") == 0
    first = freeswitch.files()
    assert freeswitch.install("--enable") == 0
    assert freeswitch.files() == first
    assert freeswitch.log.read_text().count("-m venv") == 1
    assert freeswitch.log.read_text().count("-m pip") == 2


def test_enabling_adds_one_line_and_touches_nothing_else(freeswitch: Installation) -> None:
    file = freeswitch.settings / "python.conf.xml"
    file.write_bytes(PYTHON_CONF)
    file.chmod(0o640)
    assert freeswitch.install("--enable") == 0
    ours = b'    <param name="startup-script" value="audio_stream"/>\r\n'
    head, tail = PYTHON_CONF.rsplit(b"  </settings>", 1)
    assert file.read_bytes() == head + ours + b"  </settings>" + tail
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("before, after", [
    (b"<a><settings></settings></a>",
     b'<a><settings><param name="startup-script" value="audio_stream"/></settings></a>'),
    (b"<settings>\n</settings>",
     b'<settings>\n  <param name="startup-script" value="audio_stream"/>\n</settings>'),
])
def test_other_shapes_of_the_file(before: bytes, after: bytes, tmp_path: Path) -> None:
    file = tmp_path / "python.conf.xml"
    file.write_bytes(before)
    assert installer.with_startup_script(file) == after


@pytest.mark.parametrize("text, enabled", [
    (b'<param name="startup-script" value="audio_stream"/>', True),
    (b"<param  value='audio_stream::runtime x' name = 'startup-script' />", True),
    (b'<!-- <param name="startup-script" value="audio_stream"/> -->', False),
    (b'<param name="startup-script" value="audio_stream_2"/>', False),
    (b'<param name="xml-handler-script" value="audio_stream"/>', False),
    (b"", False),
])
def test_whether_it_is_enabled(text: bytes, enabled: bool, tmp_path: Path) -> None:
    file = tmp_path / "python.conf.xml"
    file.write_bytes(text)
    assert installer.is_enabled(file) == enabled


def test_enabling_where_there_is_no_file(freeswitch: Installation) -> None:
    assert freeswitch.install("--enable") == 0
    assert installer.is_enabled(freeswitch.settings / "python.conf.xml")


def test_settings_of_the_owner_are_kept(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    file = freeswitch.settings / "audio_stream.conf.xml"
    file.write_text("mine")
    assert freeswitch.install() == 0
    assert file.read_text() == "mine"
    assert (freeswitch.settings / "audio_stream.conf.xml.new").read_bytes() == CONF.read_bytes()
    assert f"keep {file}, which has been edited" in capsys.readouterr().out


def test_the_next_steps_know_what_is_done(freeswitch: Installation,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    (freeswitch.settings / "modules.conf.xml").write_text('<load module="mod_python3"/>')
    assert freeswitch.install("--enable") == 0
    following = capsys.readouterr().out.partition("Next:")[2]
    assert "modules.conf.xml" not in following and "startup-script" not in following


def refused(freeswitch: Installation, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a refusal that has changed nothing."""
    before = freeswitch.files()
    assert freeswitch.install(*arguments) == 1
    assert freeswitch.files() == before
    text = capsys.readouterr().err
    assert text.endswith(".\n") and len(text.splitlines()) == 1
    return text


def test_no_prefix(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no folder /nowhere" in refused(freeswitch, capsys, "--freeswitch", "/nowhere")


def test_a_prefix_without_freeswitch(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--mod-dir" in refused(freeswitch, capsys, "--freeswitch", str(freeswitch.scripts))


def test_no_mod_python3(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch.module.unlink()
    assert "no mod_python3.so" in refused(freeswitch, capsys)


@pytest.mark.parametrize("content, words", [
    (b"text", "not a 64-bit little-endian ELF"),
    (elf("libpython3.11.so.1.0")[:100], "damaged"),
    (elf("libc.so.6", "libpython3.so"), "links no libpython"),
    (elf("libpython3.9.so.1.0"), "links Python 3.9"),
    (elf("libpython3.6m.so.1.0"), "links Python 3.6"),
])
def test_a_mod_python3_that_cannot_be_used(content: bytes, words: str, freeswitch: Installation,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch.module.write_bytes(content)
    assert words in refused(freeswitch, capsys)


def test_the_wrong_python(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch.python = freeswitch.make_python("3.12")
    text = refused(freeswitch, capsys)
    assert "links Python 3.11" in text and "is Python 3.12" in text


def test_the_python_that_belongs_to_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    freeswitch = Installation(tmp_path)
    for folder in ("distribution", "own/bin"):
        (tmp_path / folder).mkdir(parents=True)
        os.link(freeswitch.python, tmp_path / folder / "python3.11")
    monkeypatch.setattr(installer, "INTERPRETER_FOLDERS", (str(tmp_path / "distribution"),))
    find = installer.find_interpreter
    assert find("3.11", [str(tmp_path / "own/lib")], None) == tmp_path / "own/bin/python3.11"
    assert find("3.11", ["/nowhere/lib"], None) == tmp_path / "distribution/python3.11"
    monkeypatch.setenv("PATH", str(tmp_path / "own/bin"))
    monkeypatch.setattr(installer, "INTERPRETER_FOLDERS", ())
    assert find("3.11", [], None) == tmp_path / "own/bin/python3.11"
    with pytest.raises(installer.Refusal, match="no python3.13"):
        find("3.13", [], None)


def test_needed_libraries(tmp_path: Path) -> None:
    file = tmp_path / "library.so"
    file.write_bytes(elf("libone.so.1", "libtwo.so", runpath="/a/lib:/b/lib"))
    assert installer.needed_libraries(file) == (["libone.so.1", "libtwo.so"], ["/a/lib", "/b/lib"])


def test_a_python_that_makes_no_virtual_environments(freeswitch: Installation,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{freeswitch.log}.no-venv").touch()
    assert "python3.11-venv" in refused(freeswitch, capsys)


def test_a_venv_of_another_version(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    (freeswitch.venv / "bin").mkdir(parents=True)
    os.rename(freeswitch.make_python("3.12"), freeswitch.venv / "bin/python")
    assert "no virtual environment of Python 3.11" in refused(freeswitch, capsys)


def test_a_folder_that_is_no_venv(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no virtual environment of" in refused(freeswitch, capsys, "--venv",
                                                  str(freeswitch.scripts.parent))


@pytest.mark.parametrize("folder", ["modules", "scripts", "settings"])
def test_no_permission(folder: str, freeswitch: Installation, capsys: pytest.CaptureFixture[str],
                       monkeypatch: pytest.MonkeyPatch) -> None:
    locked = {"modules": freeswitch.modules.parent}.get(folder, getattr(freeswitch, folder))
    # Not by modes: the tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked)
    assert f"{locked} cannot be written to" in refused(freeswitch, capsys)


def test_no_permission_for_python_conf(freeswitch: Installation, capsys: pytest.CaptureFixture[str],
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    file = freeswitch.settings / "python.conf.xml"
    file.write_bytes(PYTHON_CONF)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file)
    assert f"{file} cannot be written to" in refused(freeswitch, capsys, "--enable")


def test_a_script_that_is_not_ours(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    (freeswitch.scripts / "audio_stream.py").write_text("print('something else')")
    assert "is not ours" in refused(freeswitch, capsys)


def test_a_python_conf_without_settings(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    (freeswitch.settings / "python.conf.xml").write_text("<settings/>")
    assert "no </settings>" in refused(freeswitch, capsys, "--enable")


def test_when_pip_fails_nothing_is_left(freeswitch: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{freeswitch.log}.no-pip").touch()
    assert "pip could not install" in refused(freeswitch, capsys)
    assert not freeswitch.venv.exists()
