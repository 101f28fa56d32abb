//! How forebear fares beside SQLite at 10 million events: see `scale --help`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    forebear_benches::scale::run()
}
