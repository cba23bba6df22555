"""The page at ``/``: live sessions, their transcripts, levels and answer times."""
