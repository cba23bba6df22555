"""One step a file; what has been released is never changed."""
