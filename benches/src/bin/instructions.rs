//! Instructions of appends, sealing and chains: see `instructions --help`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    forebear_benches::instructions::run()
}
