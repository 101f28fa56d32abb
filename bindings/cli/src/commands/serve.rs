//! `forebear serve`: the store over HTTP.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use forebear_server::{HttpOptions, HttpServer};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandResult, warn};
use crate::global::Global;
use crate::output::Out;
use crate::place;
use crate::usual_folders::usual_folders;

/// Serve the store over HTTP: an API, live streams, MCP, hooks and OTLP on one port
///
/// Runs until Ctrl-C or SIGTERM. Everything needs the token that it prints within a URL; the
/// token is kept in the store's folder, for its owner alone. Where another process writes to the
/// store, it reads what that writes, and takes over once that ends.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: an object with `url`, `token`, `address` and `read_only` (why nothing can be
written, else null) once it listens. There is no TLS: beyond this machine put a proxy before it
that has, and name it with --host.

Examples:
  forebear serve --follow
  forebear serve --listen 127.0.0.1:4318
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:4141/api/events?errors")]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4141")]
    listen: SocketAddr,

    /// Keep the token in this file [default: `serve-token` in the store's folder]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Answer to this name, too: a proxy's, as its clients have it in Host
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,

    /// Import and follow transcripts beside serving, if no other process does: those of the
    /// usual folders, or these files and folders
    #[arg(long, value_name = "PATH", num_args = 0.., conflicts_with = "read_only")]
    follow: Option<Vec<PathBuf>>,

    /// Write nothing, and leave the store to others
    #[arg(long)]
    read_only: bool,
}

#[derive(Serialize)]
struct ReadyLine<'a> {
    url: String,
    token: &'a str,
    address: SocketAddr,
    read_only: Option<String>,
}

impl Run for ServeArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        place::make_folder_of_store(global)?;
        let path = place::store_path(global)?;
        let mut options = HttpOptions::new(&path).listen(self.listen).read_only(self.read_only);
        if let Some(file) = &self.token_file {
            options = options.token_file(file);
        }
        for host in &self.host {
            options = options.host(host);
        }
        if let Some(paths) = &self.follow {
            options = options.follow(if paths.is_empty() {
                usual_folders()?.into_iter().map(|folder| folder.path).collect()
            } else {
                paths.clone()
            });
        }
        let server = HttpServer::start(&options)?;
        let stopper = server.stopper();
        let stopping = AtomicBool::new(false);
        let set = ctrlc::set_handler(move || {
            // The second time at once; what was acknowledged is written.
            if stopping.swap(true, Ordering::Relaxed) {
                process::exit(1);
            }
            stopper.stop();
        });
        if let Err(error) = set {
            warn(&format!("forebear: Ctrl-C and SIGTERM will not end it cleanly: {error}"));
        }
        let why = server.why_read_only();
        if let Some(why) = &why {
            warn(&format!("forebear: reading only: {why}"));
        }
        if !self.listen.ip().is_loopback() {
            warn("forebear: others can reach this, and what it sends can be read on the way");
        }
        let mut out = Out::new();
        if global.json {
            let (url, token, address) = (server.url(), server.token(), server.address());
            out.json(&ReadyLine { url, token, address, read_only: why })?;
        } else {
            writeln!(out, "{}", server.url())?;
            warn(&format!("forebear: serving {}; Ctrl-C ends it", path.display()));
        }
        out.finish()?;
        Ok(server.wait()?)
    }
}
