//! Prints how forebear and SQLite compare, in under a minute.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    forebear_benches::ratios::print()
}
