//! What there is to say of the server itself, on standard error.

use std::io::{self, Write};

use forebear_wire::text;

/// Says it. What it quotes may come from anywhere, so nothing in it may reach a terminal as a
/// command.
pub(crate) fn notice(message: &str) {
    // Where standard error is closed nobody would read it.
    let _ = writeln!(io::stderr().lock(), "forebear: {}", text::clean_lines(message));
}
