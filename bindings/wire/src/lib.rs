//! What the bindings of forebear have in common on the wire.
//!
//! An event and a session have one shape in JSON, that of the library's own `serde`
//! implementations; this crate has what stands around them, and what people and models
//! read in their place.
//!
//! - [`json`]: the last line of a walk and of a page; payloads as the JSON that they are.
//! - [`event_line`]: events as they are handed in.
//! - [`alert_line`]: alerts as they are told.
//! - [`json_text`]: JSON as text, made safe or spread out without parsing it into a tree.
//! - [`gist`]: what a payload says, on one line.
//! - [`time`]: times as people and programs write them, from and to nanoseconds.
//! - [`id`], [`text`]: ids, texts, numbers and sizes, safe to show.
//! - [`folder`]: folders of stores.
//! - [`cap`]: texts within a number of bytes of JSON.
//! - [`redact`]: texts without the secrets in them.
//! - [`rows`]: the events of a session as columns.
//! - [`texts`]: what events say.

#![warn(missing_docs)]

pub mod alert_line;
pub mod cap;
pub mod event_line;
pub mod folder;
pub mod gist;
pub mod id;
pub mod json;
mod json_scan;
pub mod json_text;
pub mod redact;
pub mod rows;
pub mod text;
pub mod texts;
pub mod time;
