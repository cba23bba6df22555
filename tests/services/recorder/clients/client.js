// Connect to create new session with custom parameters
const ws = new WebSocket('ws://localhost:8000/api/ws/audio?sample_rate=48000&channels=2&user_id=user123');

let sessionId = null;

ws.onopen = () => {
    console.log('Connected to audio streaming service');
};

ws.onmessage = (event) => {
    const response = JSON.parse(event.data);
    
    // Store session ID from first response
    if (response.session_id && !sessionId) {
        sessionId = response.session_id;
        console.log(`New session created: ${sessionId}`);
    }
    
    console.log(`Status: ${response.status}, Chunks: ${response.chunk_count}`);
};

ws.onerror = (error) => {
    console.error('WebSocket error:', error);
};

ws.onclose = (event) => {
    console.log('Connection closed:', event.code, event.reason);
};

// Send audio chunk (assume you have audio data as ArrayBuffer)
function sendAudioChunk(audioBuffer) {
    if (ws.readyState === WebSocket.OPEN) {
        const audioChunk = new Uint8Array(audioBuffer);
        ws.send(audioChunk);
    }
}

// Close session gracefully
function closeSession() {
    const closeMessage = {
        "type": "control",
        "action": "close_session"
    };
    ws.send(JSON.stringify(closeMessage));
}
