"""The store for many machines: audio in an S3-compatible object store, what is known of it in PostgreSQL.

    objects.py    the object store: bytes by name
    rounds.py     what has come is stored together, in rounds that follow each other closely
    reading.py    from where bytes are to the bytes
    composing.py  from many pieces to few, and to one WAV file
    derived.py    what is made of finished recordings beforehand
    store.py      the store
    replica.py    this process among the others
"""
