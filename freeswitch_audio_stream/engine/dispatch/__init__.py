"""The threads that streams live on, and their timers."""
