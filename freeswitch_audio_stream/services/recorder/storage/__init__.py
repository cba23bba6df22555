"""Where audio is kept.

    interface.py    what every store does, and its errors
    wav.py          WAV headers: RIFF, and RF64 from 4 GB on
    journal.py      records of what has been taken in: checksummed, append-only
    segments.py     the files that it is in, one after the other
    commits.py      the thread that makes them durable, many at a time
    recovery.py     from what a crash has left to recordings that go on
    file_store.py   the store in a directory
    stream_file.py  a stream of an unfinished recording as a file, sealed or not
    finished.py     a finished recording, likewise
    sealing/        files that only who has the master key can read
    folder.py       the files of one, and the steps on them that have to be durable
    catalogue.py    what every catalogue of sessions does
    sqlite.py       the catalogue in SQLite
    ownership.py    who goes on with a recording, where several services share a store
    derived.py      what is made of finished recordings beforehand
    postgres/       the catalogue in PostgreSQL, and what else many services share there
    object_store/   the store for many machines: audio in an S3-compatible object store
"""
