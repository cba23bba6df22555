"""Which connection carries which protocol."""

from __future__ import annotations

from ...protocols import Carrier
from ..conversation.protocol_conversation import ProtocolConversation
from ..dispatch.dispatcher import Dispatcher
from ..media.paths import MediaPaths
from ..plan.plan import Plan
from .audiosocket_link import AudioSocketLink
from .http_link import HttpLink
from .link import Link
from .media_clients import PendingConnection
from .recorder_link import RecorderLink


def make_link(plan: Plan, media: MediaPaths, dispatcher: Dispatcher, conversation: ProtocolConversation,
              pending: PendingConnection | None) -> Link:
    """Return the link of a stream: to the server of its plan, or with a `pending` connection of a client to that."""
    if plan.protocol.carrier is Carrier.HTTP:
        return HttpLink(plan, media, dispatcher, conversation)
    if plan.protocol.acknowledges:
        return RecorderLink(plan, media.path, dispatcher)
    kind = AudioSocketLink if plan.protocol.carrier is Carrier.AUDIOSOCKET else Link
    return kind(plan.url, plan.settings, media.path, dispatcher, pending, plan.protocol.counts_anew,
                lambda: conversation.handshake(plan.url, plan.settings.api_key, plan.settings.api_secret),
                plan.protocol.final_closes)
