# What developers run. `just` lists it.

# What the public API is compared with: docs/RELEASING.md says when it moves.
semver_baseline := "5d4e611"

_default:
    @just --list --unsorted

# All tests, as the README has it.
test:
    cargo test --workspace

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation, with every broken link an error.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All that a change has to pass.
ci:
    .ci/run

# The chain behind a failure, on a transcript that the project ships.
demo:
    cargo run --release -- demo

# All benchmarks, beside SQLite: some minutes. `just bench chain_depth` for one.
bench *names:
    cargo bench -p forebear-benches {{ if names == "" { "" } else { "--bench " + names } }}

# How forebear and SQLite compare, in under a minute.
ratios:
    cargo run --release -p forebear-benches --bin ratios

# Everything at 10 million events and at 1 million, beside SQLite and the machine
# itself: some tens of minutes, 15 GB of disk. `just bench-scale --events 200000`
# for a minute's worth, `--help` for the rest.
bench-scale *args:
    cargo run --release -p forebear-benches --bin scale -- {{args}}

# Importing a gigabyte of transcripts, beside SQLite. `--bytes 100000000` for less.
bench-import *args:
    cargo run --release -p forebear-benches --bin import -- {{args}}

# Looking ids up, opening and rotating at 10 to 10,000 segments: some minutes.
bench-lookups *args:
    cargo run --release -p forebear-benches --bin lookups -- {{args}}

# Instructions of appends, sealing and chains under valgrind, beside those on record.
instructions *args:
    cargo run --release -p forebear-benches --bin instructions -- --record benches/instructions.txt {{args}}

# A fuzz target (open_log, import_transcript, import_formats) for so many seconds.
fuzz target seconds="60":
    mkdir -p fuzz/corpus/{{target}}
    cargo +nightly fuzz run {{target}} fuzz/corpus/{{target}} fuzz/seeds/{{target}} -- -max_total_time={{seconds}}

# The comparison with the model over many more histories than the tests have.
model cases="200000" seed="1":
    FOREBEAR_CASES={{cases}} FOREBEAR_SEED={{seed}} cargo test --release -p forebear-core --test model -- --nocapture

# Kills a writing process so many times and checks what it had acknowledged.
kill-loop rounds="500":
    FOREBEAR_KILL_ROUNDS={{rounds}} cargo test --release -p forebear-core --test kill9 -- --nocapture

# Every script harmed at every operation, call and read, and so many random ones.
torture seeds="100000" seed="1":
    FOREBEAR_TORTURE_STRIDE=1 FOREBEAR_TORTURE_SEEDS={{seeds}} FOREBEAR_TORTURE_SEED={{seed}} cargo test --release -p forebear-core --test torture -- --nocapture

# One writer and eight reading processes, checking each other's every answer, for an hour.
soak seconds="3600":
    FOREBEAR_SOAK_SECONDS={{seconds}} cargo test --release -p forebear-core --test soak -- --nocapture

# Peak memory of importing a file of about 120 MB.
import-memory:
    cargo test --release -p forebear-ingest --test import_memory -- --nocapture

# Sends an export of a transcript to Arize Phoenix, which is installed for it, and compares its list.
phoenix transcript:
    cargo build -p forebear-cli
    bindings/export/tests/readers/phoenix target/debug/forebear {{transcript}}

# Every crate, built from what would be uploaded.
package *args:
    cargo package --workspace {{args}}

# Breaking changes of the public API since the baseline; needs cargo-semver-checks.
semver baseline=semver_baseline:
    cargo semver-checks --workspace --all-features --baseline-rev {{baseline}}

# Licences, sources and known vulnerabilities of all dependencies.
audit:
    cargo deny --all-features check
