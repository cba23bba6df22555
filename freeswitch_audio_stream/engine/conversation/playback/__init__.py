"""What the caller hears of the server: audio in the queue, marks in it, what was heard of an answer, audio as files."""
