"""The page at ``/``: live sessions and their levels, recordings, their waveforms, and what can be done with them.

    levels.py       how loud the sessions are right now
    routes.py       the page's files, and its events
"""
