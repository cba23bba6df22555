"""What measures the HTTP gateway: the servers that are measured, and the load that is put on them, each in a process.
"""
