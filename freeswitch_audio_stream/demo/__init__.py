"""The main job, to be watched: a caller speaks to an agent behind a WebSocket, and hears it speak.

    __main__.py    the play from beginning to end, the progress, the files it leaves
    stages.py      where it is played: the embedded switch, or a real FreeSWITCH
    picture.py     the PNG
"""
