//! What files are read as, where the command line says it.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use forebear::ingest::Mapping;

use crate::failure::CommandFailure;
use crate::formats;

/// What all files are read as.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    #[arg(long, value_name = "FORMAT", value_parser = format, help = help())]
    format: Option<String>,

    /// Which fields of any other lines of JSON are what; means --format ndjson
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

/// What was named.
#[derive(Debug)]
pub(crate) enum NamedFormat {
    Nothing,
    Format(String),
    Mapping(Mapping),
}

impl FormatArgs {
    /// The format or the mapping that the command line names.
    pub(crate) fn read(&self) -> Result<NamedFormat, CommandFailure> {
        match (&self.format, &self.mapping) {
            (Some(format), Some(_)) if format != "ndjson" => Err(CommandFailure::Usage(format!(
                "a mapping is for lines of JSON in no format of their own: leave out --mapping, \
                 or --format {format}"
            ))),
            (_, Some(file)) => Ok(NamedFormat::Mapping(mapping(file)?)),
            (Some(format), None) => Ok(NamedFormat::Format(format.clone())),
            (None, None) => Ok(NamedFormat::Nothing),
        }
    }
}

fn mapping(file: &Path) -> Result<Mapping, CommandFailure> {
    let failed = |error: &dyn Display| {
        CommandFailure::Failed(format!("reading the mapping {}: {error}", file.display()))
    };
    let length = fs::metadata(file).map_err(|error| failed(&error))?.len();
    if length > MAX_MAPPING_BYTES {
        let error = format!("expected at most {MAX_MAPPING_BYTES} bytes, found {length}");
        return Err(failed(&error));
    }
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    text.parse().map_err(|error: forebear::Error| failed(&error))
}

/// Reads the name of a format.
fn format(name: &str) -> Result<String, String> {
    let found = formats::registry().find(name).map_err(|error| error.to_string())?;
    Ok(found.name().to_owned())
}

/// What the option is for, with all names there are.
fn help() -> String {
    let names: Vec<&str> = formats::registry().names().collect();
    format!("What all files are: {} [default: as each begins]", names.join(", "))
}

/// No mapping is nearly as long.
const MAX_MAPPING_BYTES: u64 = 1 << 20;
