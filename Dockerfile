FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libclang-dev libssl-dev pkg-config make perl && rm -rf /var/lib/apt/lists/*
WORKDIR /sluice
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY sql sql
COPY catalog catalog
COPY benches benches
RUN cargo build --release --locked --bin sluice

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/sluice sluice
COPY --from=build /sluice/target/release/sluice /usr/local/bin/sluice
USER sluice
WORKDIR /var/lib/sluice
EXPOSE 5433 8000
ENTRYPOINT ["sluice"]
CMD ["--help"]
