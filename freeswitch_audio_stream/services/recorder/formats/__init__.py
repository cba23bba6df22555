"""From the bytes of a client to samples.

    wav_input.py    raw samples, and WAV files in pieces of any length
    ffmpeg.py       the program FFmpeg: its limits, and what it says
    decoder.py      compressed audio, by FFmpeg
"""
