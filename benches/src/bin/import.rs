//! Importing transcripts, beside SQLite: see `import --help`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    forebear_benches::import::run()
}
