# One image for every container of docker-compose.yml; which part it is, is the command.
# Build: docker build -t snapcore-forwarder .  Packages come from wherever pip is configured to fetch them.
FROM python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS packages

RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
# Secrets of a private index stay out of the layers: docker build --secret id=pip,src=$HOME/.config/pip/pip.conf
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --disable-pip-version-check --require-hashes -r /tmp/requirements.lock

FROM python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin forwarder \
    && install -d -o forwarder -g forwarder -m 0750 /data
COPY --from=packages /opt/venv /opt/venv
COPY . /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    FORWARDER_HOME=/data \
    DAGSTER_HOME=/data/dagster
USER forwarder
WORKDIR /app
VOLUME /data
ENTRYPOINT ["tini", "--", "python", "-m", "forwarder_core.cli.container"]
