"""What many recorders have done in the background, by whichever of them has time: on PostgreSQL, by procrastinate.

    queue.py      the queue, and this process's share of its work
    work.py       what there is to do
"""
