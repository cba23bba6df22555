"""For programs made with other frameworks. A module needs its framework alone, and nothing else of this package.

    pipecat.py    a serializer of pipecat for the protocol ``json``
"""
