# docker build -t tarn .        (with BuildKit, Docker's own since 23.0)
# docker run --rm --network host -v tarn-data:/data tarn up --sample
#
# Tarn listens on loopback alone, for it has no login and no TLS yet; inside a network
# of the container's own nothing could reach it. So the container shares the host's
# network, and the page is at http://127.0.0.1:7700 of the host. docs/container.md says
# how to map a port, behind a proxy that has both.

FROM golang:1.26-trixie AS build
WORKDIR /src
COPY . .
ARG VERSION=docker
# Only the modules that are linked are fetched: go mod download would bring DuckDB for five systems. What was fetched and
# compiled is kept for the next build.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make build VERSION=$VERSION && .ci/licenses bin/licenses >/dev/null

FROM debian:trixie-slim
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin tarn \
 && install -d -o tarn -g tarn -m 0750 /data
COPY --from=build /src/bin/tarn /usr/local/bin/tarn
COPY --from=build /src/LICENSE /src/NOTICE /usr/share/doc/tarn/
COPY --from=build /src/bin/licenses /usr/share/doc/tarn/licenses/
USER 10001:10001
ENV TARN_DATA=/data
VOLUME /data
WORKDIR /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["tarn", "sql", "SELECT 1"]
# Ctrl-C and docker stop land what is in flight; that takes five seconds at most.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tarn"]
CMD ["up"]
