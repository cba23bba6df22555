"""What FreeSWITCH sees of the module: its command, its applications, what the console completes."""

from __future__ import annotations

from typing import Callable

from . import MODULE
from .commands import ACTIONS, COMMUNITY_ACTIONS, USAGE
from .switch import Application, Registration, Session, Switch

API_NAME = "uuid_audio_stream"
RESULT_VARIABLE = "uuid_audio_stream_result"
MEDIA_APPLICATION = "external_media_start"
_COMPLETIONS = (f"add {API_NAME} list", *(f"add {API_NAME} ::console::list_uuid * {action}" for action in ACTIONS),
                *(f"add {API_NAME} ::console::list_uuid {action}" for action in (*COMMUNITY_ACTIONS, "token")))

OnApplication = Callable[[Session, str], None]


def register(switch: Switch, on_command: Callable[[str, str | None], str], on_application: OnApplication,
             on_external_media: OnApplication, on_shutdown: Callable[[], None]) -> Registration:
    """Be a module of the switch, see `switch.modules.Module`; raise SwitchError if it does not take us.

    Others can be called later: `Registration.hand_over`, with `on_application` before `on_external_media`.
    """
    return switch.register(
        MODULE, API_NAME, USAGE, on_command, on_application, on_shutdown, completions=_COMPLETIONS,
        description="stream a call's audio to a server and back",
        applications=[Application(MEDIA_APPLICATION, "play to a call what a server sends",
                                  "<json> | <url> <rtp|sln|audiosocket>", on_external_media)])
