# A worker: the training core with torch. The CPU build is taken where pip sees one; for NVIDIA cards
# docker-compose.gpu.yml sets TORCH to the published CUDA build.
FROM python:3.11-slim-bookworm
ARG TORCH=torch==2.13.0
WORKDIR /opt/batchlab
COPY requirements/worker.lock requirements/worker.lock
RUN python3 -m venv venv \
 && venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/worker.lock \
 && venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "$TORCH"
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY core core
COPY db db
COPY client client
COPY api api
COPY lab lab
COPY worker worker
COPY migrations migrations
COPY docker/install docker/secrets docker/
RUN sh docker/install
ENV PATH=/opt/batchlab/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["batchlab", "worker"]
