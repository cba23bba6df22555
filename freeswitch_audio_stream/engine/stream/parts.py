"""What a stream is made of. Each part knows the parts made before it, and none that come later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ...config import Dialect
from ..attention import Attention
from ..call import Call
from ..connection.links import make_link
from ..connection.media_clients import ClientSession
from ..connection.reconnecting import Reconnecting
from ..conversation.audio_gate import AudioGate
from ..conversation.call_control import CallControl
from ..conversation.message_effects import MessageEffects, on_the_application, on_the_caller, on_the_connection
from ..conversation.message_receiver import MessageReceiver
from ..conversation.message_sender import MessageSender
from ..conversation.playback.player import Player
from ..conversation.playback.received_sounds import ReceivedSounds
from ..conversation.playback.sound_files import SoundFiles
from ..conversation.protocol_conversation import ProtocolConversation
from ..conversation.tool_calls import ToolCalls
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.timers import Timers
from ..end_reason import EndReason
from ..events.agent_turns import AgentTurns
from ..events.community_reports import CommunityReporter
from ..events.lifecycle import Lifecycle
from ..events.message_log import MessageLog
from ..events.reports import Reporter
from ..media.attachment import Attachment
from ..media.paths import MediaPaths
from ..plan.plan import Plan
from ..state_machine import StateMachine
from ..states import TRANSITIONS, State, StreamStates


@dataclass(frozen=True)
class StreamSetup:
    """What a stream is given."""

    plan: Plan
    call: Call
    media: MediaPaths
    dispatcher: Dispatcher
    sounds: SoundFiles
    """The files of all streams."""
    client_session: ClientSession | None = None
    """Where the stream is that of a client that connects to us."""


class StreamParts:
    """The parts of one stream, joined; no part is doing anything yet."""

    def __init__(self, setup: StreamSetup, attention: Attention, on_released: Callable[[], None]) -> None:
        """`on_released` is called when nothing of the call is held any more."""
        plan, media, dispatcher = setup.plan, setup.media, setup.dispatcher
        self.plan = plan
        self.media = media
        self.dispatcher = dispatcher
        self.client_session = setup.client_session
        self.attention = attention
        self.states: StreamStates = StateMachine("stream", TRANSITIONS, State.WAITING, dispatcher.report)
        self.end_reason = EndReason()
        self.timers = Timers(dispatcher)
        reporter = CommunityReporter if plan.dialect is Dialect.COMMUNITY else Reporter
        self.reporter = reporter(setup.call, plan.info.stream_id)
        self.attachment = Attachment(setup.call, media.path, media.capture, on_released)
        self.gate = AudioGate(media.path, self.timers, plan.protocol.permit_seconds)
        conversation = ProtocolConversation(plan.protocol, plan.info, lambda: media.path.media_position)
        self.link = make_link(plan, media, dispatcher, conversation,
                              setup.client_session.pending if setup.client_session else None)
        self.sender = MessageSender(plan, conversation, media.path, self.link, self.reporter, self.states)
        turns = AgentTurns(self.reporter)
        self.player = Player(media.path, self.reporter, self.timers, plan.settings.play_events == "each", self.sender,
                             turns.answer_heard)
        log = None if plan.settings.suppress_log else MessageLog(setup.call.log)
        self.effects = self._effects_of_messages(setup, conversation, turns, log)
        self.receiver = MessageReceiver(plan, conversation, self.effects, self.player, self.sender, self.reporter, log)
        self.reconnecting = Reconnecting(plan.settings, plan.timeout, self.timers, dispatcher.reconnects,
                                         self.link.connect, plan.longest_wait)
        self.lifecycle = Lifecycle(plan, media, self.reporter, turns, self.timers, self.reconnecting,
                                   setup.client_session, self.states)

    def _effects_of_messages(self, setup: StreamSetup, conversation: ProtocolConversation, turns: AgentTurns,
                             log: MessageLog | None) -> MessageEffects:
        control = CallControl(setup.call, setup.plan.settings, self.reporter, self.attention.post)
        tools = ToolCalls(control, self.player, self.reporter, self.sender.tool_result)
        sounds = ReceivedSounds(setup.plan, setup.call, setup.sounds, self.player, self.reporter, log)
        return MessageEffects(conversation, self.reporter, self.timers,
                              on_the_caller(self.player, sounds, turns),
                              on_the_application(self.reporter, control, tools),
                              on_the_connection(self.link, self.sender, self.gate, self.player))
