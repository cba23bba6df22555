"""From the bytes of a client to samples, and back.

    wav_input.py    raw samples, and WAV files in pieces of any length
    ffmpeg.py       the program FFmpeg: its limits, and what it says
    decoder.py      compressed audio to samples
    waveform.py     samples to pictures
    encoder.py      samples to compressed audio
"""
