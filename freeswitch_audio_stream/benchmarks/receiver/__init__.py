"""The process that takes, counts and times what streams send, and answers it; and the hand on that process."""
