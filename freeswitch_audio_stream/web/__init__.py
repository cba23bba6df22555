"""What every HTTP server of ours stands on: listening, limits, deadlines, threads for what may block."""
