"""The HTTP gateway: calls that arrive as HTTP requests, each answered by an agent."""
