"""``audio_stream.conf.xml``: names and values, unchecked."""

from __future__ import annotations

from xml.etree import ElementTree

from ..errors import SettingError

FILE = "audio_stream.conf"
"""The configuration as FreeSWITCH knows it; on disk the name ends in ``.xml``."""


def parse_xml(text: str) -> dict[str, str]:
    """Return the params in ``<configuration name="audio_stream.conf"><settings>``: texts by name, unchecked.

    The configuration may stand alone or within a whole FreeSWITCH document. Raise SettingError when `text` is not XML.
    """
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SettingError(f"{FILE}.xml is not well-formed XML ({error}): correct it and reload") from error
    return {param.get("name", ""): param.get("value", "")
            for configuration in root.iter("configuration") if configuration.get("name") == FILE
            for param in configuration.iterfind("settings/param")}
