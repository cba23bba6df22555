"""What a stream says to its server, what the server says, and what the caller is to hear of it."""
