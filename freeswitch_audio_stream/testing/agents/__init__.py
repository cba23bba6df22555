"""Local servers of speech agents, for tests; OpenAI's Realtime API has a folder of its own.

    server.py       what they have in common
    deepgram.py     Deepgram's Voice Agent API
    elevenlabs.py   ElevenLabs' agents
    gemini.py       Google's Gemini Live API
    openai_live.py  OpenAI's Live API
"""
