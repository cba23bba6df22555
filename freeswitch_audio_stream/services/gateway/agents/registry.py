"""The agents that are installed: entry points of the group ``freeswitch_audio_stream.agents``, ours among them."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from ....errors import AgentError, AgentNotFound
from .interface import Agent, AgentProfile, Conversation, Output

GROUP = "freeswitch_audio_stream.agents"


def installed() -> tuple[str, ...]:
    """Return the names of all agents that are installed, sorted."""
    return tuple(sorted(_entry_points()))


def agent_class(name: str) -> type[Agent]:
    """Return the class of the agent of that name, which is imported now.

    Raise AgentNotFound where no installed package has it, and AgentError where its own cannot be imported or has no
    agent there.
    """
    found = _entry_points().get(name)
    if found is None:
        raise AgentNotFound(f"there is no agent {name!r}: use one of {', '.join(installed()) or 'none at all'}, or "
                            f"install the package that has it as an entry point of the group {GROUP}")
    try:
        agent = found.load()
    except Exception as error:  # whatever a foreign package does when it is imported
        raise AgentError(f"the agent {name!r} cannot be imported from {found.value}: {type(error).__name__}: {error}"
                         ) from error
    if not (isinstance(agent, type) and issubclass(agent, Agent)):
        raise AgentError(f"the agent {name!r} is {found.value}, which is no subclass of {Agent.__module__}.Agent: "
                         "correct the entry point")
    return agent


def create(conversation: Conversation, profile: AgentProfile, output: Output) -> Agent:
    """Return the agent of a profile for one conversation; raise what `agent_class` raises."""
    return agent_class(profile.agent)(conversation, profile, output)


def _entry_points() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=GROUP)}
