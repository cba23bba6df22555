"""Servers that streams can talk to. They need no FreeSWITCH, and the `servers` extra of this package."""
