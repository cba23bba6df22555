"""conf/docker and conf/systemd of the recorder: checked without Docker or systemd at work, against what it asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
CHECKOUT = Path(__file__).parents[2]
DOCKER = CHECKOUT / "conf" / "docker"
UNIT = CHECKOUT / "conf" / "systemd" / "freeswitch-audio-stream-recorder.service"


def instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "recorder.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def service() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "recorder-compose.yaml").read_text())
    found: dict[str, Any] = loaded["services"]["recorder"]
    return found


def test_the_image_runs_the_recorder_as_nobody_in_particular() -> None:
    words = dict(instructions())
    assert words["USER"] == "10002:10002"
    assert words["ENTRYPOINT"] == '["freeswitch-audio-stream", "recorder"]' and words["STOPSIGNAL"] == "SIGTERM"
    made = " ".join(given for word, given in instructions() if word == "RUN")
    assert "/source[${EXTRAS}]" in made and words["ARG"] == "EXTRAS=recorder"
    assert " ffmpeg " in made and "-o 10002 " in made
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", given.split()[0])
               for word, given in instructions() if word == "FROM")
    code = re.search(r'"-c", "(.*)"\]', words["HEALTHCHECK"])
    assert code is not None and "/health" in code[1]
    compile(code[1].replace('\\"', '"'), "HEALTHCHECK", "exec")


def test_what_the_image_is_made_of_is_sent_to_docker() -> None:
    kept = [line[1:] for line in (DOCKER / "recorder.Dockerfile.dockerignore").read_text().splitlines()
            if line[:1] == "!"]
    assert {"setup.cfg", "pyproject.toml", "freeswitch_audio_stream", "README.md"} <= set(kept)


def test_recordings_outlive_the_container_and_nothing_is_open_without_keys() -> None:
    place = service()["environment"]["AUDIO_STORAGE_PATH"]
    assert service()["volumes"] == [f"audio_data:{place}"] and dict(instructions())["VOLUME"] == place
    assert service()["ports"] == ["127.0.0.1:8000:8000"] and service()["read_only"] and service()["security_opt"]
    assert service()["environment"]["RECORDER_API_KEYS"].startswith("${API_KEYS:?")
    assert int(service()["stop_grace_period"].removesuffix("s")) > 60


@pytest.mark.parametrize("name", ["AUDIO_STORAGE_PATH", "RECORDER_HOST", "RECORDER_PORT", "RECORDER_API_KEYS",
                                  "RECORDER_CERT_FILE"])
def test_settings_are_those_of_the_recorder(name: str) -> None:
    settings = pytest.importorskip("freeswitch_audio_stream.services.recorder.settings")
    assert any(row.variable == name for table in (settings.AUDIO, settings.SERVICE) for row in table.rows)
    assert any(name in file.read_text() for file in DOCKER.glob("recorder*"))


def recorders() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "recorders-compose.yaml").read_text())["services"]
    return found


def test_recorders_that_share_their_sessions() -> None:
    services = recorders()
    one, other = services["recorder-1"], services["recorder-2"]
    assert one == other and set(services) == {"recorder-1", "recorder-2", "database", "store", "proxy"}
    assert one["build"]["args"]["EXTRAS"] == "recorder,recorder-distributed"
    settings = pytest.importorskip("freeswitch_audio_stream.services.recorder.settings")
    variables = one["environment"]
    known = {row.variable for table in (settings.AUDIO, settings.SERVICE) for row in table.rows}
    assert {name for name in variables if not name.startswith("AWS_")} <= known
    assert variables["RECORDER_API_KEYS"].startswith("${API_KEYS:?")
    assert variables["AWS_SECRET_ACCESS_KEY"] == services["store"]["environment"]["AWS_SECRET_ACCESS_KEY"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["proxy"]["ports"] == ["127.0.0.1:8000:8000"]
    assert all(services[name]["networks"] == ["inside"] and services[name]["volumes"] for name in ("database", "store"))
    assert all("healthcheck" in services[name] for name in ("database", "store"))


def test_the_proxy_keeps_connections_of_a_session_together() -> None:
    text = (DOCKER / "recorders-nginx.conf").read_text()
    assert "hash $session consistent" in text and "proxy_set_header Upgrade" in text
    assert all(f"server {name}:8000" in text for name in recorders() if name.startswith("recorder-"))
    pattern = re.search(r"~(\^/api/ws/audio/\S+) \$id;", text)
    assert pattern is not None
    found = re.fullmatch(pattern[1].replace("?<", "?P<"), "/api/ws/audio/0b8e5f6a-0000-4000-8000-000000000000")
    assert found is not None and found["id"].startswith("0b8e")


def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    text = UNIT.read_text()
    assert "StateDirectory=freeswitch-audio-stream-recorder" in text
    assert "Environment=AUDIO_STORAGE_PATH=%S/freeswitch-audio-stream-recorder" in text
    assert "recorder.env" in text and int(re.findall(r"TimeoutStopSec=(\d+)", text)[0]) > 60
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/freeswitch-audio-stream/bin/freeswitch-audio-stream", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposure = subprocess.run(["systemd-analyze", "security", "--offline=true", str(copy)], capture_output=True,
                              text=True, timeout=60)
    level = re.search(r"exposure level for .*: ([\d.]+)", exposure.stdout)
    assert level is not None and float(level[1]) < 2.0
