import asyncio
import websockets
import json
import logging
from pathlib import Path

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

class AudioStreamer:
    def __init__(self, base_url="ws://localhost:8000/api"):
        self.base_url = base_url
        self.session_id = None
        self.websocket = None
        
    async def create_session(self, user_id=None, sample_rate=44100, channels=1, format="wav"):
        """Create a new audio streaming session"""
        params = f"sample_rate={sample_rate}&channels={channels}&format={format}"
        if user_id:
            params += f"&user_id={user_id}"
            
        uri = f"{self.base_url}/ws/audio?{params}"
        
        try:
            self.websocket = await websockets.connect(uri)
            logger.info(f"Connected to new session: {uri}")
            
            # Wait for initial response with session ID
            response = await self.websocket.recv()
            data = json.loads(response)
            self.session_id = data['session_id']
            logger.info(f"Session created: {self.session_id}")
            
            return self.session_id
            
        except Exception as e:
            logger.error(f"Failed to create session: {e}")
            raise
    
    async def connect_to_session(self, session_id, user_id=None):
        """Connect to an existing session"""
        self.session_id = session_id
        params = f"?user_id={user_id}" if user_id else ""
        uri = f"{self.base_url}/ws/audio/{session_id}{params}"
        
        try:
            self.websocket = await websockets.connect(uri)
            logger.info(f"Connected to existing session: {session_id}")
            
        except Exception as e:
            logger.error(f"Failed to connect to session {session_id}: {e}")
            raise
    
    async def send_audio_chunk(self, audio_data):
        """Send an audio chunk and wait for response"""
        if not self.websocket:
            raise RuntimeError("Not connected to any session")
            
        try:
            await self.websocket.send(audio_data)
            response = await asyncio.wait_for(self.websocket.recv(), timeout=10.0)
            return json.loads(response)
            
        except asyncio.TimeoutError:
            logger.error("Timeout waiting for server response")
            raise
        except websockets.exceptions.ConnectionClosed:
            logger.error("WebSocket connection closed")
            raise
    
    async def close_session(self):
        """Close the current session"""
        if not self.websocket:
            return
            
        try:
            close_message = {
                "type": "control",
                "action": "close_session"
            }
            await self.websocket.send(json.dumps(close_message))
            response = await self.websocket.recv()
            logger.info(f"Session closed: {json.loads(response)}")
            
        except Exception as e:
            logger.error(f"Error closing session: {e}")
        finally:
            await self.websocket.close()
            self.websocket = None
            self.session_id = None

# Usage example
async def main():
    streamer = AudioStreamer()
    
    try:
        # Create new session
        session_id = await streamer.create_session(
            user_id="user123",
            sample_rate=48000,
            channels=2
        )
        
        # Stream audio file
        audio_file = Path("example.wav")
        if audio_file.exists():
            with open(audio_file, "rb") as f:
                chunk_size = 8192
                chunk_count = 0
                
                while True:
                    chunk = f.read(chunk_size)
                    if not chunk:
                        break
                    
                    response = await streamer.send_audio_chunk(chunk)
                    chunk_count += 1
                    
                    if chunk_count % 10 == 0:  # Log every 10 chunks
                        logger.info(f"Processed {response['chunk_count']} chunks")
        
        # Close session
        await streamer.close_session()
        
    except Exception as e:
        logger.error(f"Streaming failed: {e}")
        if streamer.websocket:
            await streamer.close_session()

if __name__ == "__main__":
    asyncio.run(main())
