"""The grammar: what each line means, what each mistake is answered with, and that nothing else comes out."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freeswitch_audio_stream.audio import RATES, Encoding, Track
from freeswitch_audio_stream.commands import (ACTIONS, COMMUNITY_ACTIONS, COMMUNITY_ID, USAGE, ClearPlayback, Command,
                                              GracefulShutdown, ListStreams, MintToken, Pause, PausePlayback, Resume,
                                              ResumePlayback, SendText, Start, Status, Stop, ToolResult, check_url,
                                              parse, without_credentials)
from freeswitch_audio_stream.config import Dialect
from freeswitch_audio_stream.errors import CommandError, RefusedError, UsageError

URL = "wss://api.example.com/stream"


def start(url: str = URL, track: Track = Track.INBOUND, rate: int = 16000, timeout: int = 30,
          bidirectional: bool = False, **more: object) -> Start:
    return Start("u", "s", url, track, rate, timeout, bidirectional, **more)  # type: ignore[arg-type]


def community(url: str = URL, track: Track = Track.INBOUND, rate: int = 8000, **more: object) -> Start:
    return Start("u", COMMUNITY_ID, url, track, rate, 0, True,
                 dialect=Dialect.COMMUNITY, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("line, command", [
    # The examples of the specification, and the shorter forms in use.
    (f"u s start {URL} inbound 16000 30 0", start()),
    (f"u s start {URL} inbound 16000 30 1 '{{\"session_info\":\"test\"}}'",
     start(bidirectional=True, metadata='{"session_info":"test"}')),
    (f"u s start {URL} both 16000 0 1 '{{\"mode\":\"interactive\"}}'",
     start(track=Track.BOTH, timeout=0, bidirectional=True, metadata='{"mode":"interactive"}')),
    (f"u s start {URL} outbound 8k 30 0", start(track=Track.OUTBOUND, rate=8000)),
    (f"u s start {URL} inbound l16 16k 30 0", start()),
    (f"u s start {URL} inbound mulaw 8000 30 0", start(rate=8000, encoding=Encoding.MULAW)),
    (f"u s START {URL} Inbound MULAW 44.1K 30 0", start(rate=44100, encoding=Encoding.MULAW)),
    ("u s stop", Stop("u", "s")),
    ('u s stop "User requested"', Stop("u", "s", "User requested")),
    ("u s stop User requested it", Stop("u", "s", "User requested it")),
    ("u s stop ''", Stop("u", "s")),
    ("u s pause", Pause("u", "s")),
    ("u s pause whatever follows", Pause("u", "s")),
    ("u s resume", Resume("u", "s")),
    ('u s graceful-shutdown "Session complete"', GracefulShutdown("u", "s", "Session complete")),
    ("u s graceful-shutdown", GracefulShutdown("u", "s")),
    ("u s send_text '{\"command\":\"mute\",\"value\":true}'",
     SendText("u", "s", '{"command":"mute","value":true}')),
    ("u s send_text {\"a b\": [1, 2]}", SendText("u", "s", '{"a b": [1, 2]}')),
    ("u s pause_play", PausePlayback("u", "s")),
    ("u s resume_play", ResumePlayback("u", "s")),
    ("u s tool_result call_1 {\"left\": 7}", ToolResult("u", "s", "call_1", '{"left": 7}')),
    ("u s tool_result call_1 '{\"left\": 7}'", ToolResult("u", "s", "call_1", '{"left": 7}')),
    ("u s tool_result call_1 seven are left", ToolResult("u", "s", "call_1", "seven are left")),
    ("u s clear_play", ClearPlayback("u", "s")),
    ("u s status", Status("u", "s")),
    ("list", ListStreams()),
    ("  list\n", ListStreams()),
    # Words
    ("  u\t s   pause  \r\n", Pause("u", "s")),
    ("u 'two words' pause", Pause("u", "two words")),
    (r"u it\'s pause", Pause("u", "it's")),
    (r"u one\sword pause", Pause("u", "one word")),
    ("u it's pause", Pause("u", "it's")),
    (r"u 'it\'s one' pause", Pause("u", "it's one")),
    (r"u back\\slash pause", Pause("u", "back\\slash")),
    (r"u back\slash pause", Pause("u", "back lash")),
    (r"u C:\path pause", Pause("u", r"C:\path")),
    ("list s pause", Pause("list", "s")),
    ("u Zürich pause", Pause("u", "Zürich")),
])
def test_lines(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line, command", [
    (f"u start {URL} mono", community()),
    (f"u start {URL} mono 8k", community()),
    (f"u start {URL} mixed 16k", community(track=Track.MIXED, rate=16000)),
    (f"u start {URL} stereo 16000 ", community(track=Track.STEREO, rate=16000)),
    (f"u START {URL} Stereo 44.1K", community(track=Track.STEREO, rate=44100)),
    (f"u start {URL} mono 8k ''", community()),
    (f"u start {URL} mono '' text", community(metadata="text")),
    (f"u start {URL} mono 8000Hz", community()),
    (f"u start {URL} mono 16000.0 {{}}", community(rate=16000, metadata="{}")),
    (f"u start {URL} mono +048000, x", community(rate=48000, metadata="x")),
    (f"u start {{buffer-secs=5}}{URL} mono", community(prefix={"buffer-secs": "5"})),
    (f"u start {URL} mono 8k any text, as it is", community(metadata="any text, as it is")),
    (f'u start {URL} mono 16k {{"a": "b c"}}', community(rate=16000, metadata='{"a": "b c"}')),
    ("u stop", Stop("u", COMMUNITY_ID)),
    ("u stop bye for now", Stop("u", COMMUNITY_ID, "bye for now")),
    ("u graceful-shutdown", GracefulShutdown("u", COMMUNITY_ID)),
    ("u graceful-shutdown 'bye now'", GracefulShutdown("u", COMMUNITY_ID, "bye now")),
    ("u pause", Pause("u", COMMUNITY_ID)),
    ("u pause whatever follows", Pause("u", COMMUNITY_ID)),
    ("u resume", Resume("u", COMMUNITY_ID)),
    ("u send_text hello there", SendText("u", COMMUNITY_ID, "hello there")),
    ("u pause_play", PausePlayback("u", COMMUNITY_ID)),
    ("u resume_play", ResumePlayback("u", COMMUNITY_ID)),
    ("u clear_play", ClearPlayback("u", COMMUNITY_ID)),
    # The second word decides, whatever follows.
    (f"u stop start {URL} both 8k 0 0", Stop("u", COMMUNITY_ID, f"start {URL} both 8k 0 0")),
    ("u 'Stop' pause", Stop("u", COMMUNITY_ID, "pause")),
    ("stop stop", Stop("stop", COMMUNITY_ID)),
    # The other grammar reaches the same stream by its id.
    (f"u {COMMUNITY_ID} status", Status("u", COMMUNITY_ID)),
    (f"u {COMMUNITY_ID} stop", Stop("u", COMMUNITY_ID)),
])
def test_lines_of_the_community_module(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line, options", [
    (f"{{protocol=twilio}}{URL} mono", {"rate": 8000}),
    (f"{{protocol=jambonz}}{URL} mixed 16k", {"track": Track.MIXED}),
    (f"{{protocol=twilio}}{URL} stereo 8k {{\"a\":1}}", {"rate": 8000, "track": Track.BOTH, "metadata": '{"a":1}'}),
    (f"{{agent=desk}}{URL} mono 24k", {"rate": 24000}), ("{agent=desk} mono", {"url": "", "rate": 8000})])
def test_another_protocol_without_a_stream_id(line: str, options: dict[str, Any]) -> None:
    prefix = {"agent": "desk"} if "agent" in line else {"protocol": line[10:line.index("}")]}
    expected = start(timeout=0, bidirectional=True, prefix=prefix, **options)
    assert parse(f"u start {line}") == replace(expected, stream_id=COMMUNITY_ID)


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_in_both_forms(rate: int) -> None:
    for word in (str(rate), f"{rate / 1000:g}k", f"{rate / 1000:g}K"):
        assert parse(f"u s start {URL} inbound {word} 0 0") == start(rate=rate, timeout=0)
        assert parse(f"u start {URL} mono {word}") == community(rate=rate)


@pytest.mark.parametrize("given_text, expected", [
    ("plain words", "plain words"), ("'two words'", "two words"), ('"two words"', '"two words"'), ("16k", "16k"),
    ("it's", "it's"), ("'", "'"), (r"'it\'s'", "it's"), ("Grüße  aus\tZürich 😀", "Grüße  aus\tZürich 😀"),
    ("'{\"a\": \"x y\"}'", '{"a": "x y"}'), ('{"a": "x y"}', '{"a": "x y"}'), ("{broken", "{broken"),
    # What JavaScript makes of JSON.stringify(m).replace(/'/g, "\\'"), with quotes around it or without.
    (r"""{"name":"O\'Hara","note":"it\'s"}""", """{"name":"O'Hara","note":"it's"}"""),
    (r"""'{"name":"O\'Hara","note":"it\'s"}'""", """{"name":"O'Hara","note":"it's"}"""),
    # Escapes come before JSON: it needs two backslashes for one.
    (r"""'{"a": "line\\nbreak \\\\ \\"x\\" \u00e9"}'""", r"""{"a": "line\nbreak \\ \"x\" \u00e9"}"""),
    (r'{\"a\":\"b\"}', '{"a":"b"}'), (r'{"a":"say \"hi\""}', '{"a":"say "hi""}'), (r"one\ntwo", "one\ntwo"),
    (r"a\tb\rc\sd", "a\tb\rc d"), (r"C:\new", "C:\new"), (r"C:\old", r"C:\old"), (r"\\server\\x", r"\server\x"),
    ("\\", "\\"), ("a\\\\", "a\\"),
    # Pairs of quotes disappear wherever they stand, and blanks at the end count only within them.
    ("'a' and 'b'", "a and b"), ("a'b c'd", "ab cd"), ("'a 'b", "a b"), ("'a '", "a "), ("a '' ", "a "),
    (r"a \s", "a  "),
    ("it's ' odd", "its  odd"), ("one' two' three's", "one two three's"), (r"it's {\'}", "its {'}"),
    ("'not closed", "'not closed"), ("'a' 'b c", "a 'b c"),
])
def test_text_of_the_community_module_is_the_rest_of_the_line(given_text: str, expected: str) -> None:
    """As FreeSWITCH's switch_separate_string has it, and a module written in C gets it."""
    assert parse(f"u send_text {given_text} ") == SendText("u", COMMUNITY_ID, expected)
    assert parse(f"u stop {given_text}") == Stop("u", COMMUNITY_ID, expected)
    assert parse(f"u start {URL} mono 8k {given_text}\n") == community(metadata=expected)


def test_every_action_is_in_the_usage_of_its_grammar() -> None:
    first, second, third, _ = USAGE.split(", or: ")
    assert third == "uuid_audio_stream <uuid> token [seconds] | conference <name> token [seconds]"
    assert all(action in first for action in ACTIONS) and set(COMMUNITY_ACTIONS) == {*ACTIONS} - {
        "status", "external_media_start", "tool_result"}
    assert all(action in second for action in COMMUNITY_ACTIONS)


@pytest.mark.parametrize("line, expected", [
    ("u token", MintToken("call", "u")), ("u TOKEN 60", MintToken("call", "u", 60)),
    ("u 'token' 86400 and more", MintToken("call", "u", 86400)), ("conference token", MintToken("call", "conference")),
    ("conference room token", MintToken("conference", "room")), ("conference token token 5",
                                                                 MintToken("conference", "token", 5)),
    ("Conference 1ed12456-eb4b_x.y~z Token 1", MintToken("conference", "1ed12456-eb4b_x.y~z", 1)),
    ("u token status", Status("u", "token")), ("conference token status", Status("conference", "token")),
])
def test_tokens(line: str, expected: Command) -> None:
    assert parse(line) == expected


@pytest.mark.parametrize("line, words", [
    ("u token 0", "1 to 86400"), ("u token 86401", "1 to 86400"), ("u token -1", "1 to 86400"),
    ("u token soon", "1 to 86400"), ("conference a+flags{mute} token", "letters, digits"),
    ("conference a@b token", "letters, digits"), (f"conference {129 * 'a'} token", "at most 128"),
])
def test_tokens_that_are_not_made(line: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        parse(line)


@pytest.mark.parametrize("action", COMMUNITY_ACTIONS)
def test_an_action_is_no_stream_id(action: str) -> None:
    for word in (action, action.upper(), f"'{action}'"):
        try:
            command = parse(f"u {word} status")
        except CommandError:
            continue
        assert not isinstance(command, Status)


@pytest.mark.parametrize("given_text, expected", [
    ('{"a": 1}', '{"a": 1}'),
    ("'{\"a\": \"x y\"}'", '{"a": "x y"}'),
    ('"{"a": 1}"', '{"a": 1}'),
    (r'"{\"a\": \"say \\\"hi\\\"\"}"', r'{"a": "say \"hi\""}'),
    (r"""'{"a": "it\'s"}'""", '{"a": "it\'s"}'),
    ("""'{"a": "it's"}'""", '{"a": "it\'s"}'),
    (r"""'{"a": "line\nbreak \\ \u00e9"}'""", r'{"a": "line\nbreak \\ \u00e9"}'),
    ('"just a string"', '"just a string"'),
    ("'\"just a string\"'", '"just a string"'),
    ("[1, 'x']", None), ("{broken", None), ("'", None), ("NaN", None), ("plain words", None),
    ("12345678901234567890123", "12345678901234567890123"),
])
def test_metadata_is_the_rest_of_the_line(given_text: str, expected: str | None) -> None:
    line = f"u s start {URL} inbound 16000 30 0 {given_text}  "
    if expected is not None:
        assert parse(line) == start(metadata=expected)
    else:
        with pytest.raises(RefusedError, match="metadata .* is not JSON: write it as"):
            parse(line)


@pytest.mark.parametrize("given_text, expected", [
    ("hello there", "hello there"), ("'hello there'", "hello there"), ('"hello there"', "hello there"),
    ("'a' and 'b'", "'a' and 'b'"), ("it's", "it's"), ("'", "'"), ('"open', '"open'),
    (r"'it\'s'", "it's"), (r'"say \"hi\""', 'say "hi"'), (r"C:\new", r"C:\new"),
    ('{"text":"\'quoted\'"}', '{"text":"\'quoted\'"}'),
])
def test_text_is_the_rest_of_the_line(given_text: str, expected: str) -> None:
    assert parse(f"u s send_text {given_text}") == SendText("u", "s", expected)


@pytest.mark.parametrize("words, prefix, url", [
    ("{chunk_ms=40,protocol=binary}ws://h/", {"chunk_ms": "40", "protocol": "binary"}, "ws://h/"),
    ("{http_auth_password='a b, c}'}ws://h/", {"http_auth_password": "a b, c}"}, "ws://h/"),
    ("'{http_auth_user=a b}ws://h/'", {"http_auth_user": "a b"}, "ws://h/"),
    ("{}ws://h/", {}, "ws://h/"),
    ("{a=1} ws://h/", {"a": "1"}, "ws://h/"),
    ("'{a=1} ws://h/'", {"a": "1"}, "ws://h/"),
])
def test_settings_before_the_url(words: str, prefix: dict[str, str], url: str) -> None:
    assert parse(f"u s start {words} inbound 16000 30 0") == start(url=url, prefix=prefix)


# URLs

@pytest.mark.parametrize("url", [
    "ws://h", "wss://h/", "WSS://Example.COM:443/path?query=a:b@c/d", "ws://my_host.internal:8080/x",
    "ws://[::1]:8080/", "ws://[2001:db8::1]", "ws://user:p%40ss@host:1/", "ws://user:p@ss@host/",
    "ws://10.0.0.1:65535", "ws://h?x", "ws://h./", "ws://xn--bcher-kva.example/", "ws://" + "a" * 63 + ".de/",
])
def test_good_urls(url: str) -> None:
    check_url(url)
    assert parse(f"u s start {url} inbound 16000 30 0") == start(url=url)


@pytest.mark.parametrize("url, reason", [
    ("example.com/x", r"use ws:// or wss://"), ("ftp://h/", r"use ws:// or wss://"), ("ws:/h", r"use ws://"),
    ("ws//h", r"use ws://"), ("://h", r"use ws://"), ("ws://[::1", "no IPv6 address"),
    ("ws://[::1]x/", "no IPv6 address"),
    ("ws://", "no host"), ("ws:///path", "no host"), ("ws://user@/x", "no host"), ("ws://:80/", "no host"),
    ("ws://::1/", "no host"),
    ("ws://[]/", "no IPv6 address"), ("ws://[::g]/", "no IPv6 address"),
    ("ws://[127.0.0.1]/", "no IPv6 address"),
    ("ws://h:0/", "no port"), ("ws://h:65536/", "no port"), ("ws://h:/", "no port"),
    ("ws://h:8o/", "no port"),
    ("ws://h:-1/", "no port"), ("ws://h:" + "1" * 5000, "no port"), ("ws://h:" + "0" * 5000, "no port"),
    ("ws://2001:db8::1/", "no port"),
    ("ws://a..b/", "neither a host name"), ("ws://.a/", "neither a host name"),
    ("ws://a%20b/", "neither a host name"),
    ("ws://" + "a" * 64 + "/", "neither a host name"), ("ws://" + "a." * 130 + "/", "neither a host name"),
    ("ws://h/#top", "#fragment"), ("ws://h/a b", "percent-encode"), ("ws://bücher/", "percent-encode"),
    ("ws://h/\x01", "percent-encode"),
])
def test_bad_urls_say_what_to_do(url: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=f"^bad URL .*{re.escape(reason)}") as refused:
        check_url(url)
    assert len(str(refused.value)) < 300
    with pytest.raises(RefusedError):
        parse(f"u s start '{url}' inbound 16000 30 0")


def test_other_schemes_are_the_callers_choice() -> None:
    check_url("http://h/", schemes=("http", "https"))
    with pytest.raises(RefusedError, match="use http:// or https://"):
        check_url("ws://h/", schemes=("http", "https"))
    with pytest.raises(RefusedError, match="use tcp://"):
        parse(f"u s start {URL} inbound 16000 30 0", schemes=("tcp",))


@pytest.mark.parametrize("url, shown", [
    ("ws://user:secret@h/a@b", "ws://***@h/a@b"), ("ws://h/a@b", "ws://h/a@b"),
    ("ws://u:se@cret@h", "ws://***@h"),
    ("//user:secret@h", "//***@h"), ("nonsense", "nonsense"),
])
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize("line", [
    "u s start ws://user:secret@h:0/ inbound 8000 0 0",
    "u s start ftp://user:secret@h/ inbound 8000 0 0",
    "u s start {http_auth_password=secret inbound 8000 0 0",
    "u s start {secret}ws://h inbound 8000 0 0",
    "u s start {http_auth_password=secret}nonsense inbound 8000 0 0",
    "u start ws://user:secret@h/ inbound 8000 0 0",
    "u start {http_auth_password=secret}ws://h/ inbound 8000 0 0",
])
def test_answers_do_not_repeat_secrets(line: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse(line)
    assert "secret" not in refused.value.reply


# Mistakes

@pytest.mark.parametrize("line, missing", [
    ("", "uuid"), ("u", "stream_id"), ("'' s stop", "uuid"), ("u '' stop", "stream_id"),
    ("u s start", "url"), (f"u s start {URL}", "track"), (f"u s start {URL} both", "rate"),
    (f"u s start {URL} both mulaw", "rate"), (f"u s start {URL} both 8k", "timeout"),
    (f"u s start {URL} both 8k 0", "bidirectional flag"), ("u s send_text", "json"),
    ("u s send_text ''", "json"),
    ("u s start {a=1}", "url"),
])
def test_missing_words_are_answered_with_the_syntax(line: str, missing: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line)
    assert refused.value.reply.startswith("-USAGE: uuid_audio_stream <uuid> <stream_id> ")
    assert f"({missing}" in refused.value.reply and "is missing)" in refused.value.reply


@pytest.mark.parametrize("line, syntax, missing", [
    ("u start", "start <ws-or-wss-url> <mono|mixed|stereo> [rate] [metadata]", "url"),
    (f"u start {URL}", "start <ws-or-wss-url> <mono|mixed|stereo> [rate] [metadata]", "mono, mixed or stereo"),
])
def test_missing_words_of_the_community_module(line: str, syntax: str, missing: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line)
    assert refused.value.reply == f"-USAGE: uuid_audio_stream <uuid> {syntax} ({missing} is missing)"


@pytest.mark.parametrize("words, reason", [
    ("http://h mono", "use ws:// or wss://"),
    (f"{URL} both 8k 30 1", "bad mix type 'both': use mono, mixed or stereo, or put a stream id before start"),
    (f"{URL} mono 9k", "bad rate '9k': use one of 8000"),
    (f"{URL} mono {{\"a\":1}}", "it stands before the metadata"), (f"{URL} mono 64000", "bad rate '64000'"),
    (f"{{protocol=twilio}}{URL} mono 8k it's me", "is not JSON, which only the protocol community takes"),
    ("{a}ws://h mono", "write {name=value,name=value}"), (f"{URL} mono 8k \udcff", "UTF-8"),
])
def test_wrong_words_of_the_community_module(words: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(f"u start {words}")
    assert reason in refused.value.reply and len(refused.value.reply) < 400


@pytest.mark.parametrize("line, reason", [
    ("u s", "-ERR there is no action s: use one of start, stop, "),
    ("u graceful_shutdown", "no action graceful_shutdown"), (f"u strat {URL} mono 8k", "no action strat"),
    (f"u ws://user:secret@h/ {URL}", "there is no such action: use one of"),
    ("u send_text", "-ERR send_text has no text: uuid_audio_stream <uuid> send_text <text>"),
    ("u send_text ''", "-ERR send_text has no text"),
])
def test_what_a_line_without_a_stream_id_cannot_do_is_answered_by_err(line: str, reason: str) -> None:
    """Scripts written for that module test for it; only uuid and action, and the words of start, are syntax there."""
    with pytest.raises(RefusedError) as refused:
        parse(line)
    assert reason in refused.value.reply and "secret" not in refused.value.reply


MEDIA = {"rate": 8000, "timeout": 0, "bidirectional": True, "captures": False}


@pytest.mark.parametrize("words, url, protocol", [
    (f"{URL} rtp", URL, "rtp"), (f"{URL} sln", URL, "sln"), (f"'{URL}' audiosocket", URL, "audiosocket"),
    ('{"url":"%s","encapsulation":"rtp"}' % URL, URL, "rtp"),
    ('\'{"url":"%s","encapsulation":"rtp","more":1}\'' % URL, URL, "rtp"),
    ('{"type":"external_media_start","option":{"url":"%s","encapsulation":"sln"}}' % URL, URL, "sln"),
    ("audiosocket://host:9092", "audiosocket://host:9092", "audiosocket"),
    ("audiosocket://host:9092/ audiosocket", "audiosocket://host:9092/", "audiosocket"),
    ('{"url":"audiosocket://[::1]:1"}', "audiosocket://[::1]:1", "audiosocket"),
])
def test_external_media(words: str, url: str, protocol: str) -> None:
    assert parse(f"u s external_media_start {words}") == Start(
        "u", "s", url, Track.INBOUND, prefix={"protocol": protocol}, **MEDIA)  # type: ignore[arg-type]


def test_external_media_with_settings() -> None:
    command = parse(f"u s external_media_start {{sample-rate=16000,protocol=json}}{URL} sln")
    assert isinstance(command, Start) and command.prefix == {"sample-rate": "16000", "protocol": "sln"}


@pytest.mark.parametrize("words, reason", [
    (URL, "no encapsulation: use one of rtp, sln, audiosocket"),
    (f"{URL} json", "bad encapsulation 'json': use one of rtp, sln, audiosocket"),
    (f"{URL} {'x' * 999}", "bad encapsulation 'xxx"),
    ('{"url":"%s"}' % URL, "no encapsulation: use one of"),
    ('{"url":"%s","encapsulation":"RTP"}' % URL, "bad encapsulation 'RTP'"),
    ('{"url":"%s","encapsulation":5}' % URL, "have to be texts"), ('{"encapsulation":"rtp"}', "have to be texts"),
    ("[]", "the JSON is no object"), ("5", "the JSON is no object"), ("{}", "have to be texts"),
    ('{"option":{"url":5}}', "have to be texts"), ("http://h rtp", "use ws:// or wss:// or audiosocket://"),
    ("audiosocket://h:1 rtp", "bad encapsulation 'rtp': use audiosocket"),
    ("audiosocket://h audiosocket", "AudioSocket has no port of its own"),
    ("{a}ws://h rtp", "write {name=value,name=value}"),
])
def test_wrong_words_of_external_media(words: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(f"u s external_media_start {words}")
    assert reason in refused.value.reply and len(refused.value.reply) < 400


def test_external_media_of_nothing() -> None:
    with pytest.raises(UsageError, match="url is missing"):
        parse("u s external_media_start")


@pytest.mark.parametrize("url, reason", [
    ("audiosocket://host", "write audiosocket://host:port"), ("audiosocket://host/", "write audiosocket://host:port"),
    ("audiosocket://host:1/path", "no users and paths"), ("audiosocket://me:secret@host:1", "no users and paths"),
    ("audiosocket://host:1?query", "no users and paths"), ("audiosocket://host:0", "no port"),
])
def test_urls_that_audiosocket_has_no_use_for(url: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(f"u s start {url} inbound 8000 0 1")
    assert reason in refused.value.reply and "secret" not in refused.value.reply
    assert parse("u s start AudioSocket://host:1 inbound 8k 0 1") == start(
        url="AudioSocket://host:1", rate=8000, timeout=0, bidirectional=True)
    with pytest.raises(RefusedError, match="use ws:// or wss:// and"):
        parse("u start audiosocket://host:1 mono")


def test_an_unknown_action_is_named_and_the_whole_syntax_shown() -> None:
    with pytest.raises(UsageError) as refused:
        parse("u s strat")
    assert str(refused.value) == f"{USAGE} (there is no action strat)"
    assert all(action in USAGE for action in ACTIONS)


@pytest.mark.parametrize("words, reason", [
    (f"{URL} sideways 8000 0 0", "bad track 'sideways': use inbound, outbound or both"),
    (f"{URL} both 11025 0 0", "bad rate '11025': use one of 8000, 16000, 24000, 32000, 44100, 48000"),
    (f"{URL} both 9k 0 0", "bad rate '9k'"), (f"{URL} both -8000 0 0", "bad rate '-8000'"),
    (f"{URL} both opus 8000 0 0", "only l16 or mulaw may stand between track and rate"),
    (f"{URL} both 8000 -1 0", "bad timeout '-1'"), (f"{URL} both 8000 1.5 0", "bad timeout '1.5'"),
    (f"{URL} both 8000 ٣ 0", "bad timeout"), (f"{URL} both 8000 {'9' * 5000} 0", "bad timeout"),
    (f"{URL} both 8000 2147483648 0", "0 for no limit"),
    (f"{URL} both 8000 0 2", "bad bidirectional flag '2': use 1"),
    (f"{URL} both 8000 0 yes", "bad bidirectional flag"),
    (f"{URL} both 8000 0 0 {{x}}", "metadata '{x}' is not JSON"),
    ("{a}ws://h both 8000 0 0", "write {name=value,name=value}"),
])
def test_wrong_words_are_answered_with_the_remedy(words: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(f"u s start {words}")
    assert reason in refused.value.reply and refused.value.reply.startswith("-ERR ")
    assert len(refused.value.reply) < 400


@pytest.mark.parametrize("line, reason", [
    ("u 'a\nb' stop", "bad stream id 'a\\nb'"),
    ("u " + "x" * 257 + " stop", "at most 256 printable characters"),
    ("'a\x07' s stop", "bad call uuid"), ("u s send_text \udcff", "UTF-8"),
    ("'a\x07' stop", "bad call uuid"), ("u stop \udcff", "UTF-8"), ("u send_text ü\udcc3", "character 14"),
])
def test_names_that_cannot_be_names(line: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(reason)):
        parse(line)


# Properties

WORD = st.sampled_from(["u", *ACTIONS, "list", "both", "stereo", "l16", "8k", "0", "1", URL, "{a=b}",
                        "'", '"', "\\", "{", '{"a":1}', "'{\"a\":1}'", "ws://[", "'x y'"])
LINES = st.text() | st.lists(WORD | st.text(max_size=5), max_size=12).map(" ".join) | st.lists(
    WORD | st.text(max_size=5), max_size=8).flatmap(lambda words: st.sampled_from(["u s start ", "u start "]).map(
        lambda beginning: beginning + URL + " " + " ".join(words)))


@pytest.mark.slow
@settings(deadline=None)  # the long examples
@given(LINES)
@example("u s start " + "[" * 100000)
@example(f"u s start {URL} both 8k 0 1 " + "[" * 100000)
@example(f"u start {URL} mono 8k " + "[" * 100000)
@example("u s send_text '" + "\\'" * 100000)
@example("u send_text '" + "\\'" * 100000)
@example("'" * 99999)
@example("u token \x1f")
@example("u send_text \x1f")
def test_every_line_is_a_command_or_a_documented_error_in_one_line(line: str) -> None:
    try:
        parse(line)
    except (UsageError, RefusedError) as error:
        assert error.reply.startswith(("-ERR ", "-USAGE: "))
        assert error.reply.isprintable() and len(error.reply) < 1000


@given(st.text())
def test_every_url_is_good_or_refused(url: str) -> None:
    for candidate in (url, "ws://" + url):
        try:
            check_url(candidate)
        except RefusedError:
            pass


def quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"


PRINTABLE = st.text(min_size=1, max_size=256).filter(str.isprintable)


@given(PRINTABLE, PRINTABLE.filter(lambda word: word.lower() not in COMMUNITY_ACTIONS))
def test_quoted_words_come_out_as_they_were(uuid: str, stream_id: str) -> None:
    assert parse(f"{quoted(uuid)} {quoted(stream_id)} pause") == Pause(uuid, stream_id)


@given(st.text().filter(lambda text: text.strip(" \t\r\n") == text != "" and not set(text) & {"'", "\\"}),
       st.sampled_from(["send_text", "stop", "graceful-shutdown", f"start {URL} stereo 16k"]))
def test_text_without_quotes_comes_out_verbatim(text: str, words: str) -> None:
    command = parse(f"u {words} {text}")
    assert text in (getattr(command, name, None) for name in ("text", "reason", "metadata"))


JSON = st.recursive(st.none() | st.booleans() | st.integers(-2 ** 53, 2 ** 53) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@pytest.mark.slow
@given(JSON, st.sampled_from(["{}", "'{}'", '"{}"']))
def test_json_metadata_comes_out_equal_however_it_is_quoted(value: object, form: str) -> None:
    text = orjson.dumps(value).decode()
    # A bare JSON string is quoted already: what it holds is taken, if that is JSON itself.
    if isinstance(value, str) and form == "{}":
        return
    command = parse(f"u s start {URL} inbound 16000 30 0 {form.replace('{}', text)}")
    assert isinstance(command, Start) and command.metadata is not None
    assert orjson.loads(command.metadata) == value


# Lengths.

LONG = "x" * 1_000_001
TOO_LONG = {
    "URL": (f"u s start ws://h/{LONG[:8185 + 1]} inbound 8000 5 1", "the URL is 8193 bytes long, of 8192 at most: ",
            "extra-headers"),
    "URL of a megabyte": (f"u s start ws://h/{LONG} inbound 8000 5 1", "the url is longer than 65536 characters: ",
                          "shorten it"),
    "quoted word": (f"u s start '{LONG}' inbound 8000 5 1", "the url is longer than 65536 characters: ", "shorten it"),
    "URL of the community": (f"u start ws://h/{LONG[:10_000]} mono", "the URL is 10007 bytes long", "extra-headers"),
    "URL of external media": (f"u s external_media_start ws://h/{LONG[:10_000]} sln", "the URL is 10007 bytes long",
                              "metadata"),
    "external media": (f'u s external_media_start {{"url":"{LONG}"}}', "what stands behind the action is 1000011 bytes",
                       "only a URL and an encapsulation"),
    "prefix": (f"u s start {{extra-headers={LONG}}}ws://h/ inbound 8000 5 1",
               "the URL prefix is not closed within 65536 characters", "channel variables"),
    "metadata": (f'u s start ws://h/ inbound 8000 5 1 "{LONG[:500_000]}"', "the metadata is 500002 bytes long, of 5",
                 "send it in parts with send_text"),
    "metadata of the community": (f"u start ws://h/ mono 8k {'€' * 166_667}", "the metadata is 500001 bytes long",
                                  "send_text"),
    "text": (f"u s send_text {LONG}", "the text is 1000001 bytes long, of 1000000 at most: ", "send it in parts"),
    "text of the community": (f"u send_text {LONG}", "the text is 1000001 bytes long", "send it in parts"),
    "reason": (f"u s stop {LONG[:65_537]}", "the reason is 65537 bytes long, of 65536 at most: ", "fewer words"),
    "reason of a graceful end": (f"u s graceful-shutdown {LONG}", "the reason is 1000001 bytes long", "fewer words"),
    "reason of the community": (f"u stop {LONG}", "the reason is 1000001 bytes long", "fewer words"),
}


@pytest.mark.parametrize("line, limit, remedy", TOO_LONG.values(), ids=TOO_LONG)
def test_what_is_too_long_is_told_with_its_limit_and_what_to_do(line: str, limit: str, remedy: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(line)
    assert limit in str(refused.value) and remedy in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("line", [
    f"u s start ws://h/{LONG[:8185]} inbound 8000 5 1", f"u s start ws://h/ inbound 8000 5 1 \"{LONG[:499_998]}\"",
    f"u start ws://h/ mono 8k {LONG[:500_000]}", f"u s send_text {LONG[:1_000_000]}", f"u s stop {LONG[:65_536]}"])
def test_what_is_as_long_as_it_may_be(line: str) -> None:
    parse(line)
