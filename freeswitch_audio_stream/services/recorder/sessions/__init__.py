"""Sessions: what they are, who is connected to them, and which limits they have.

    session.py      one session
    sessions.py     all of them: begun, found, completed, repaired
    webhooks.py     who is told of those that have ended
    waveforms.py    what their recordings look like
"""
