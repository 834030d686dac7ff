# One image for every process of Robson; docker-compose.yml says which runs what.
FROM python:3.11-slim AS packages
COPY requirements.txt /tmp/
RUN python -m venv /opt/robson \
 && /opt/robson/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin robson
COPY --from=packages /opt/robson /opt/robson
WORKDIR /app
COPY manage.py ./
COPY robson robson
COPY trading trading
COPY safetynet safetynet
COPY templates templates
ENV PATH=/opt/robson/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=robson.settings \
    PROMETHEUS_MULTIPROC_DIR=/run/robson/metrics
# Values for this step only, so that no secret is generated into the image.
RUN ROBSON_SECRET_KEY=build DATABASE_URL=postgresql:///build REDIS_URL=redis://build PROMETHEUS_MULTIPROC_DIR=/tmp/metrics \
    python manage.py collectstatic --noinput --verbosity 0 \
 && rm -r /tmp/metrics
USER robson
EXPOSE 8000
CMD ["uvicorn", "robson.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
