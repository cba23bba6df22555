"""The Lua scripts: each is one step, which happens as a whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Script:
    """A script, and the hash by which Redis knows it once it was loaded."""

    name: str
    text: str
    sha: str


def _load(name: str, *before: str) -> Script:
    text = "\n".join((_FOLDER / f"{part}.lua").read_text() for part in ("clock", *before, name))
    return Script(name, text, sha1(text.encode()).hexdigest())


CREATE = _load("create", "session")
POST = _load("post", "session")
TAKE = _load("take", "session")
READ = _load("read", "session")
COMMIT = _load("commit", "session")
STATE = _load("state", "session")
END = _load("end", "session")
TAKE_OVER = _load("take_over", "session")
RESERVE = _load("reserve", "index")
FORGET = _load("forget", "index")
BEAT = _load("beat", "index")
ADOPT = _load("adopt", "index")
CLAIM = _load("claim", "index")
LEAVE = _load("leave", "index")
DISOWN = _load("disown", "index")
NAMES = _load("names", "index")
ALL = (CREATE, POST, TAKE, READ, COMMIT, STATE, END, TAKE_OVER, RESERVE, FORGET, BEAT, ADOPT, CLAIM, LEAVE, DISOWN,
       NAMES)
