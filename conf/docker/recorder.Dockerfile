# The recorder. From the folder of the repository:
#   docker build --file conf/docker/recorder.Dockerfile --tag freeswitch-audio-stream-recorder .
FROM python:3.13.5-slim-bookworm AS build
COPY . /source
# recorder,recorder-distributed for recorders that share their sessions
ARG EXTRAS=recorder
# A virtual environment is all that the image needs of this stage; pip and its cache stay here.
RUN python -m venv /opt/recorder \
    && /opt/recorder/bin/pip install --no-cache-dir "/source[${EXTRAS}]"

FROM python:3.13.5-slim-bookworm
RUN apt-get update -qq \
    && apt-get install -qq --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/recorder /opt/recorder
RUN useradd --system --uid 10002 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin recorder \
    && install -d -o 10002 -g 10002 -m 0750 /app/audio_sessions
USER 10002:10002
ENV PATH=/opt/recorder/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUDIO_STORAGE_PATH=/app/audio_sessions \
    RECORDER_HOST=0.0.0.0 \
    RECORDER_PORT=8000
VOLUME /app/audio_sessions
EXPOSE 8000
# Sessions go on at the next start; those that are being closed are finished.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['RECORDER_PORT']}/health\", timeout=4)"]
ENTRYPOINT ["freeswitch-audio-stream", "recorder"]
