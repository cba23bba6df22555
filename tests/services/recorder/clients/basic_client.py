import asyncio
import websockets
import json
import wave
import io

async def stream_audio_file(file_path, session_id=None):
    """Stream an audio file to the server"""
    
    # Choose endpoint based on whether we have a session ID
    if session_id:
        uri = f"ws://localhost:8000/api/ws/audio/{session_id}"
    else:
        uri = "ws://localhost:8000/api/ws/audio?sample_rate=44100&channels=1"
    
    async with websockets.connect(uri) as websocket:
        print(f"Connected to {uri}")
        
        # Read and send audio file in chunks
        with open(file_path, "rb") as audio_file:
            chunk_size = 4096  # 4KB chunks
            chunk_count = 0
            
            while True:
                chunk = audio_file.read(chunk_size)
                if not chunk:
                    break
                
                # Send audio chunk
                await websocket.send(chunk)
                chunk_count += 1
                
                # Receive response
                try:
                    response = await asyncio.wait_for(websocket.recv(), timeout=5.0)
                    data = json.loads(response)
                    print(f"Chunk {chunk_count}: {data['message']} (Total: {data['chunk_count']})")
                    
                    # Store session ID from first response if creating new session
                    if not session_id and 'session_id' in data:
                        session_id = data['session_id']
                        print(f"Session ID: {session_id}")
                        
                except asyncio.TimeoutError:
                    print(f"Timeout waiting for response to chunk {chunk_count}")
                except json.JSONDecodeError as e:
                    print(f"Error parsing response: {e}")
        
        # Close session
        close_message = {
            "type": "control",
            "action": "close_session"
        }
        await websocket.send(json.dumps(close_message))
        
        # Wait for final response
        final_response = await websocket.recv()
        print(f"Session closed: {json.loads(final_response)}")

# Usage
asyncio.run(stream_audio_file("audio_file.wav"))
