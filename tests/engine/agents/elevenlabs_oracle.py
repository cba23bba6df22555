"""Whether messages are those of ElevenLabs' agents: the TypeScript types of ``@elevenlabs/types`` say it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterable

from ...node import install

_CLIENT = ("UserAudio | Pong | ClientToolResult | ConversationInitiation | ContextualUpdate | UserMessage "
           "| UserActivity")
_SERVER = ("Audio | UserTranscript | AgentResponse | AgentResponseCorrection | Interruption | ConversationMetadata "
           "| ClientToolCallMessage | VadScore | Ping | ErrorMessage")


def _shape(value: Any) -> Any:
    """What two messages with the same members, of the same types, have in common."""
    if isinstance(value, dict):
        return {key: one if key in ("type", "error_type") else _shape(one) for key, one in value.items()}
    return [_shape(one) for one in value] if isinstance(value, list) else type(value).__name__


def different(messages: Iterable[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Return one of each kind."""
    kinds = {f"{is_client} {json.dumps(_shape(json.loads(text)))}": (is_client, text) for is_client, text in messages}
    return list(kinds.values())


def faults(folder: Path, messages: Iterable[tuple[bool, str]]) -> str:
    """Return what the compiler says of messages, with whether each is a client's; "" where all are right. Members that
    a type does not have are wrong as well. Skips the test where the types or the compiler cannot be had.
    """
    install(folder, "@elevenlabs/types")
    install(folder, "typescript")
    names = sorted({name.strip() for name in (_CLIENT + "|" + _SERVER).split("|")})
    lines = [f'import type {{ {", ".join(names)} }} from "@elevenlabs/types";']
    lines += [f"export const m{number}: {_CLIENT if is_client else _SERVER} = {json.dumps(json.loads(text))};"
              for number, (is_client, text) in enumerate(messages)]
    (folder / "messages.ts").write_text("\n".join(lines))
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--module", "nodenext",
         "--moduleResolution", "nodenext", "--skipLibCheck", "messages.ts"], cwd=folder, capture_output=True, text=True,
        timeout=120)
    return done.stdout + done.stderr
