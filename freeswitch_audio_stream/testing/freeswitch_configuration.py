"""The configuration of a FreeSWITCH of our own: the smallest that makes calls to itself, all of it on 127.0.0.1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PASSWORD = "ClueCon"
_MODULES = ("mod_logfile", "mod_event_socket", "mod_commands", "mod_dptools", "mod_sndfile", "mod_tone_stream",
            "mod_spandsp", "mod_opus", "mod_dialplan_xml", "mod_loopback", "mod_sofia", "mod_conference",
            "mod_python3")


@dataclass(frozen=True)
class Ports:
    """Of one instance; all on 127.0.0.1."""

    event_socket: int
    sip: int
    first_rtp: int
    last_rtp: int


def _configuration(name: str, content: str) -> str:
    return f'<configuration name="{name}.conf">{content}</configuration>\n'


def _params(**values: object) -> str:
    return "".join(f'<param name="{name.replace("_", "-")}" value="{value}"/>' for name, value in values.items())


def _core(ports: Ports) -> str:
    settings = _params(max_sessions=5000, sessions_per_second=5000, loglevel="info", rtp_start_port=ports.first_rtp,
                       rtp_end_port=ports.last_rtp)
    return _configuration("switch", f"<settings>{settings}</settings>")


def _modules(installed: set[str]) -> str:
    loads = "".join(f'<load module="{name}"/>' for name in _MODULES if name in installed)
    return _configuration("modules", f"<modules>{loads}</modules>")


def _event_socket(ports: Ports) -> str:
    return _configuration("event_socket", "<settings>" + _params(
        listen_ip="127.0.0.1", listen_port=ports.event_socket, password=PASSWORD, apply_inbound_acl="loopback.auto",
        nat_map="false") + "</settings>")


def _logfile() -> str:
    levels = "console,notice,warning,err,crit,alert,info"
    return _configuration("logfile", '<settings/><profiles><profile name="default"><settings/><mappings>'
                          f'<map name="all" value="{levels}"/></mappings></profile></profiles>')


def _sofia(ports: Ports) -> str:
    codecs = "OPUS,PCMU,PCMA,L16,L16@16000h"
    settings = _params(
        context="default", dialplan="XML", sip_port=ports.sip, sip_ip="127.0.0.1", rtp_ip="127.0.0.1",
        inbound_codec_prefs=codecs, outbound_codec_prefs=codecs, inbound_codec_negotiation="generous",
        rtp_timer_name="soft", rfc2833_pt=101, manage_presence="false", auth_calls="false",
        accept_blind_reg="true", tls="false")
    return _configuration("sofia", "<global_settings/><profiles><profile name=\"internal\"><gateways/><domains/>"
                          f"<settings>{settings}</settings></profile></profiles>")


def _conference() -> str:
    profiles = "".join(
        f'<profile name="{name}">' + _params(rate=rate, interval=20, energy_level=0, comfort_noise="false",
                                             domain="127.0.0.1", caller_id_name="test", caller_id_number=0)
        + "</profile>" for name, rate in (("default", 8000), ("wideband", 48000)))
    return _configuration("conference", f"<advertise/><caller-controls/><profiles>{profiles}</profiles>")


def _extension(pattern: str, *actions: tuple[str, str]) -> str:
    lines = "".join(f'<action application="{name}" data="{data}"/>' for name, data in actions)
    return (f'<extension name="{pattern}"><condition field="destination_number" expression="^{pattern}$">'
            f'<action application="answer"/>{lines}</condition></extension>')


def _dialplan(ports: Ports) -> str:
    extensions = (
        _extension("park", ("park", "")),
        _extension("echo", ("echo", "")),
        _extension("silence", ("playback", "silence_stream://-1")),
        _extension("tone", ("playback", "{loops=-1}tone_stream://%(1000,0,440)")),
        _extension("bridge", ("bridge", f"sofia/internal/silence@127.0.0.1:{ports.sip}")),
        _extension("conference", ("conference", "room@default")),
    )
    return f'<context name="default">{"".join(extensions)}</context>'


def write(folder: Path, ports: Ports, installed: set[str], dialplan: str = "") -> None:
    """Write the configuration to `folder`; `installed` are the modules there are, `dialplan` further extensions.

    What stands in ``autoload_configs/`` of the folder is included.
    """
    settings = folder / "autoload_configs"
    settings.mkdir(parents=True, exist_ok=True)
    python = settings / "python.conf.xml"
    if not python.exists():
        python.write_text(_configuration("python", "<settings>\n  </settings>"))
    parts = (_core(ports), _modules(installed), _event_socket(ports), _logfile(), _sofia(ports), _conference(),
             _configuration("acl", "<network-lists/>"))
    (folder / "freeswitch.xml").write_text(
        '<?xml version="1.0"?>\n<document type="freeswitch/xml">\n<section name="configuration">\n' + "".join(parts)
        + '<X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>\n</section>\n<section name="dialplan">\n'
        + _dialplan(ports).replace("</context>", dialplan + "</context>") + "\n</section>\n</document>\n")
