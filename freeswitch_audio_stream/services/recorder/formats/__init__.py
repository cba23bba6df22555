"""From the bytes of a client to samples.

    wav_input.py    raw samples, and WAV files in pieces of any length
    decoder.py      compressed audio, by FFmpeg
"""
