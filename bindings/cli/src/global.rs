//! What every command takes on the command line.

use std::path::PathBuf;

use clap::Args;

/// What every command takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The store's folder [default: forebear/events.forebear in the platform's data folder]
    #[arg(
        long,
        global = true,
        env = "FOREBEAR_STORE",
        hide_env_values = true,
        value_name = "PATH"
    )]
    pub(crate) store: Option<PathBuf>,

    /// Print JSON, one object on each line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print straight to the terminal, not through a pager (`FOREBEAR_PAGER`, else `PAGER`, else less)
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,

    /// Show times in UTC on a terminal too, and read dates so
    #[arg(long, global = true)]
    pub(crate) utc: bool,

    /// When to use colours; `auto` heeds `NO_COLOR` and pipes
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Tells the whole program.
    pub(crate) fn write_global(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}
