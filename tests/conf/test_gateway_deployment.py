"""conf/docker and conf/systemd: checked without Docker or systemd at work, and against what the gateway asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

yaml = pytest.importorskip("yaml")
CHECKOUT = Path(__file__).parents[2]
DOCKER = CHECKOUT / "conf" / "docker"
UNIT = CHECKOUT / "conf" / "systemd" / "freeswitch-audio-stream-gateway.service"
PINNED = re.compile(r"[a-z]+:\d+\.\d+\.\d+[a-z0-9-]*")


def instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return loaded


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_images_are_pinned() -> None:
    images = [given.split()[0] for word, given in instructions() if word == "FROM"]
    images += [service["image"] for service in compose()["services"].values() if "build" not in service]
    assert len(images) >= 3 and all(PINNED.fullmatch(image) for image in images), images


def test_the_image_runs_the_gateway_as_nobody_in_particular() -> None:
    words = dict(instructions())
    assert words["USER"] == "10001:10001"
    assert words["ENTRYPOINT"] == '["freeswitch-audio-stream", "gateway"]' and words["STOPSIGNAL"] == "SIGTERM"
    assert any("/source[gateway]" in given for word, given in instructions() if word == "RUN")
    assert "/health" in words["HEALTHCHECK"]


def test_the_health_check_is_a_program() -> None:
    code = re.search(r'"-c", "(.*)"\]', dict(instructions())["HEALTHCHECK"])
    assert code is not None
    compile(code[1].replace('\\"', '"'), "HEALTHCHECK", "exec")


def test_what_the_image_is_made_of_is_sent_to_docker() -> None:
    kept = [line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    assert {"setup.cfg", "pyproject.toml", "freeswitch_audio_stream", "README.md"} <= set(kept)
    assert all((CHECKOUT / name).exists() for name in kept)


def test_services_wait_for_those_they_need() -> None:
    services = compose()["services"]
    for service in services.values():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services and condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[other] or "build" in services[other]
    upstream = set(re.findall(r"server ([\w-]+):3105", (DOCKER / "nginx.conf").read_text()))
    assert upstream and upstream <= set(services)


def gateways() -> dict[str, Any]:
    return {name: service for name, service in compose()["services"].items() if "build" in service}


def test_two_gateways_share_a_redis_that_keeps_what_it_has() -> None:
    services = compose()["services"]
    urls = {urlsplit(service["environment"]["REDIS_URL"]) for service in gateways().values()}
    assert len(gateways()) == 2 and len(urls) == 1
    redis = services[urls.pop().hostname]
    words = dict(zip(redis["command"][1::2], redis["command"][2::2]))
    assert words["--appendonly"] == "yes" and words["--maxmemory-policy"] == "noeviction"
    assert redis["volumes"] == ["sessions:/data"] and "ports" not in redis


def test_the_proxy_asks_both_and_repeats_no_audio() -> None:
    text = (DOCKER / "nginx.conf").read_text()
    assert set(re.findall(r"server ([\w-]+):3105[^;]* resolve;", text)) == set(gateways())
    assert set(gateways()) <= set(compose()["services"]["proxy"]["depends_on"])
    again = re.search(r"proxy_next_upstream ([\w ]+);", text)
    assert again is not None and "non_idempotent" not in again[1].split() and "error" in again[1].split()


def test_nothing_is_open_to_the_network_without_tls_or_keys() -> None:
    services = compose()["services"]
    assert [port for service in services.values() for port in service.get("ports", ())] == ["127.0.0.1:3105:3105"]
    for gateway in gateways().values():
        assert gateway["environment"]["AUDIO_STREAM_GATEWAY_API_KEYS"].startswith("${API_KEYS:?")
    assert all(service["read_only"] and service["security_opt"] for service in services.values())


def test_a_stop_waits_for_the_drain() -> None:
    for gateway in gateways().values():
        drain = int(gateway["environment"]["AUDIO_STREAM_GATEWAY_DRAIN_SECS"])
        assert int(gateway["stop_grace_period"].removesuffix("s")) > drain
    assert int(unit()["TimeoutStopSec"][0]) > drain and unit()["KillSignal"] == ["SIGTERM"]


def test_a_proxy_lets_a_poll_wait() -> None:
    found = re.search(r"proxy_read_timeout (\d+)s", (DOCKER / "nginx.conf").read_text())
    assert found is not None and int(found[1]) > 60


@pytest.mark.parametrize("name", ["AUDIO_STREAM_GATEWAY_ADDRESS", "AUDIO_STREAM_GATEWAY_PORT",
                                  "AUDIO_STREAM_GATEWAY_API_KEYS", "AUDIO_STREAM_GATEWAY_DRAIN_SECS"])
def test_settings_are_those_of_the_gateway(name: str) -> None:
    settings = pytest.importorskip("freeswitch_audio_stream.services.gateway.settings")
    field = name.removeprefix("AUDIO_STREAM_GATEWAY_").lower()
    assert field in settings.GatewaySettings.__dataclass_fields__


def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/freeswitch-audio-stream/bin/freeswitch-audio-stream", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposure = subprocess.run(["systemd-analyze", "security", "--offline=true", str(copy)], capture_output=True,
                              text=True, timeout=60)
    level = re.search(r"exposure level for .*: ([\d.]+)", exposure.stdout)
    assert level is not None and float(level[1]) < 2.0
    assert unit()["EnvironmentFile"] == ["-/etc/freeswitch-audio-stream/gateway.env"]
