# The images of Strongroom. `make images` stages below build/images what is copied here: the Python dependencies of each
# component (so that nothing is fetched inside a build) and the component's own packages.

ARG BASE=python:3.11-slim
FROM ${BASE} AS base
ENV PYTHONPATH=/opt/strongroom/packages:/opt/strongroom/dependencies \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PATH=/opt/strongroom/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/home/strongroom
RUN mkdir -p /home/strongroom /strongroom/data \
    && echo strongroom:x:1000: >> /etc/group && echo strongroom:x:100:1000::/home/strongroom:/bin/sh >> /etc/passwd \
    && chown -R 100:1000 /home/strongroom /strongroom
COPY build/images/bin /opt/strongroom/bin
WORKDIR /home/strongroom

# The agent and the command line: the standard library and nothing else.
FROM base AS agent
COPY build/images/agent /opt/strongroom/packages
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom
USER 100:1000
ENTRYPOINT ["strongroom"]

FROM base AS server
COPY build/images/server-dependencies /opt/strongroom/dependencies
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/dependencies
COPY build/images/server /opt/strongroom/packages
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/packages
USER 100:1000
VOLUME /strongroom/data
EXPOSE 8200 8201
ENTRYPOINT ["strongroom"]

FROM base AS injector
COPY build/images/injector-dependencies /opt/strongroom/dependencies
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/dependencies
COPY build/images/injector /opt/strongroom/packages
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/packages
USER 100:1000
ENTRYPOINT ["python3", "-m", "strongroom_injector"]

FROM base AS operator
COPY build/images/operator-dependencies /opt/strongroom/dependencies
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/dependencies
COPY build/images/operator /opt/strongroom/packages
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/strongroom/packages
USER 100:1000
ENTRYPOINT ["python3", "-m", "strongroom_operator"]
