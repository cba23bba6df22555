"""Streams the audio of FreeSWITCH calls to a server, and the server's audio to the caller."""

__version__ = "1.0.0"
MODULE = "mod_audio_stream"
"""What FreeSWITCH knows us as."""
