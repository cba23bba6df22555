"""What there is to set: the variables of the API's specification by their names, and the service's own.

    freeswitch-audio-stream recorder --port 8000 --audio-storage-path /var/lib/recorder

Each is a variable of the environment, a line of an environment file (``.env``) or an option; each of these overrides
those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...config import Table, setting

RATES = (8000, 16000, 22050, 44100, 48000, 96000)
CHANNELS = (1, 2)
PCM = "pcm"
"""Raw samples, whatever their first bytes look like."""
FORMATS = ("wav", PCM, "mp3", "flac", "aac")
LOG_LEVELS = ("quiet", "panic", "fatal", "error", "warning", "info", "verbose", "debug")
_KEYS = r" *([A-Za-z0-9._~+/=-]{16,256}( +|$))*"


def _texts(values: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(map(str, values))


@dataclass(frozen=True)
class AudioSettings:
    """Those of the specification, each valid; see `AUDIO` for meaning, unit and range."""

    audio_storage_path: str = setting("/app/audio_sessions", "The folder of the recordings.", pattern_rule="a path")
    default_sample_rate: int = setting(44100, "The rate of a session that asks for none.", unit="Hz",
                                       choices=_texts(RATES))
    default_channels: int = setting(1, "The channels of a session that asks for none.", choices=_texts(CHANNELS))
    default_format: str = setting("wav", "The format of a session that asks for none.", choices=FORMATS)
    ffmpeg_loglevel: str = setting("error", "What FFmpeg, which decodes compressed audio, is to log.",
                                   choices=LOG_LEVELS)
    max_session_duration_hours: int = setting(24, "A session is completed when it has lasted so long.", unit="h",
                                              minimum=1, maximum=720)
    max_chunk_size_mb: int = setting(10, "The largest chunk that is taken.", unit="MB", minimum=1, maximum=64)
    max_concurrent_sessions: int = setting(100, "Sessions that may be active at once.", minimum=1, maximum=10_000)
    max_connections_per_session: int = setting(5, "Connections that one session may have at once.", minimum=1,
                                               maximum=100)
    connection_timeout_seconds: int = setting(
        300, "A connection that sends nothing for so long is closed; a session without connections is completed after "
        "the same time.", unit="s", minimum=1, maximum=86_400)
    max_message_size_bytes: int = setting(10_485_760, "A WebSocket message that is longer ends its connection (1009).",
                                          unit="bytes", minimum=1024, maximum=67_108_864)


@dataclass(frozen=True)
class ServiceSettings:
    """The service's own, each valid; see `SERVICE` for meaning, unit and range."""

    host: str = setting("127.0.0.1", "The address to listen on; :: is all.", pattern_rule="an IPv4 or IPv6 address")
    port: int = setting(8000, "Its TCP port; 0: any that is free.", minimum=0, maximum=65535)
    cert_file: str = setting("", "A PEM file of the certificate to show; empty: no TLS.", pattern_rule="a path")
    key_file: str = setting("", "A PEM file of its key; empty: the key is in cert-file.", pattern_rule="a path")
    api_keys: str = setting(
        "", "Keys of which clients must show one; empty: everybody may record, and hear what is recorded.",
        pattern=_KEYS, pattern_rule="texts of 16 to 256 letters, digits and -._~+/=, with blanks between them",
        secret=True)
    sync: str = setting("always", "When audio is made durable: always, before it is acknowledged; interval, within a "
                        "second; never, when the kernel sees fit.", choices=("always", "interval", "never"))
    database_url: str = setting(
        "", "PostgreSQL, for recorders on many machines, postgresql://user:password@host/database; empty: one machine.",
        pattern=r"(postgresql|postgres)://.*|", pattern_rule="a URL of PostgreSQL", secret=True)
    store_url: str = setting(
        "", "Where recorders on many machines keep audio, s3://bucket/prefix; it needs database-url, and has it.",
        pattern=r"s3://[^ ]+|", pattern_rule="an s3 URL")
    store_endpoint: str = setting("", "The S3 server of store-url; empty: Amazon's.", pattern=r"https?://[^ ]+|",
                                  pattern_rule="an http or https URL")
    gather_ms: int = setting(50, "What comes within this time becomes one object of store-url; a chunk is acknowledged "
                             "that much later.", unit="ms", minimum=0, maximum=1000)
    encode: str = setting("", "Formats that every finished recording is encoded in beforehand, where there is a "
                          "store-url: mp3, flac, opus, with blanks between them.",
                          pattern=r" *((mp3|flac|opus)( +|$))*", pattern_rule="mp3, flac, opus")
    retention_days: int = setting(0, "Recordings that ended so long ago are deleted; 0: none is.", unit="days",
                                  minimum=0, maximum=36_500)
    webhook_urls: str = setting(
        "", "Where to post that a recording is finished or has failed; several with blanks between them.",
        pattern=r" *(https?://[^ ]+( +|$))*", pattern_rule="http or https URLs with blanks between them")
    webhook_secret: str = setting("", "What these posts are signed with (HMAC-SHA256); needed for them.",
                                  pattern=r"[!-~]{16,256}|", pattern_rule="16 to 256 characters of ASCII, no blanks",
                                  secret=True)
    master_keys: str = setting(
        "", "Master keys with their ids, with which recordings are encrypted; the first one is for new recordings.",
        pattern_rule="ids, each with a colon and 32 bytes in base64, with blanks between them", secret=True,
        is_option=False)
    master_key_file: str = setting("", "A file of such master keys, one a line.", pattern_rule="a path")
    user_quota_mb: int = setting(0, "Samples that one user may have stored; 0: no limit.", unit="MB", minimum=0,
                                 maximum=1_000_000_000)
    user_sessions: int = setting(0, "Sessions that one user may have active at once; 0: no limit.", minimum=0,
                                 maximum=10_000)


AUDIO = Table(AudioSettings, "")
SERVICE = Table(ServiceSettings, "RECORDER_")
