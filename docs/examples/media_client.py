"""Attaches itself to a call, records what the other party says, and says it back.

    pip install websocket-client
    python media_client.py <call id> <token>
"""

import sys

import websocket

call_id, token = sys.argv[1:]
path = f"/v1.0/calls/{call_id}/media_stream?encapsulation=sln&token={token}"
client = websocket.create_connection(f"ws://127.0.0.1:8088{path}")
with open("heard.raw", "wb") as file:  # 8000 Hz, 16 bits, little-endian, one channel
    while message := client.recv():
        file.write(message)
        client.send_binary(message)  # and what was said comes back
