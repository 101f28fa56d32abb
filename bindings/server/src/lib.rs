//! A store over HTTP: one port for a page, an API, live streams, MCP, hooks and OTLP.
//!
//! [`HttpServer::start`] serves a store until it is stopped. Everything needs the token that is
//! kept in the store's folder, but `/health`, which says nothing. Where another process writes
//! to the store, the server reads what that writes, says who it is, and takes over once it ends.
//!
//! Each request is checked by one guard before anything of it is looked at; whatever a client
//! can make grow has a limit: connections, heads, bodies, replies, streams, time.

#![warn(missing_docs)]

mod access;
mod api;
mod app;
mod body;
mod failure;
mod find;
mod guard;
mod hooks;
mod hosts;
mod limits;
mod listener;
mod live;
mod notice;
mod options;
mod otlp;
mod page;
mod params;
mod patience;
mod reply;
mod server;
mod token;

pub use options::HttpOptions;
pub use server::{HttpServer, Stopper};
