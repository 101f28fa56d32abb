//! What a stored payload reads as, whatever wrote it.
//!
//! A store keeps payloads as they came. Whatever looks into one (a line that sums it up,
//! errors, tokens, the status of a session, an answer) looks at its [`Reading`], made by
//! the [`PayloadReader`] that [`Readings`] has for the event's format. A format without
//! one gives its text. An event names its format by its payload type.
//!
//! ```
//! use std::sync::Arc;
//!
//! use forebear::readings::json::JsonCursor;
//! use forebear::readings::{Call, CallResult, Payload, PayloadReader, Reading, Readings, Role};
//!
//! /// Steps of a build: `{"step","command"}`, and when it ended `{"step","code","output"}`.
//! #[derive(Debug)]
//! struct BuildSteps;
//!
//! impl PayloadReader for BuildSteps {
//!     fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
//!         let mut reading = Reading::default();
//!         let (mut call, mut result) = (Call::default(), CallResult::default());
//!         JsonCursor::new(payload.text()).object(|key, value| match key {
//!             "step" => {
//!                 call.id = value.text().map(Into::into);
//!                 result.call_id = call.id.clone();
//!             }
//!             "command" => call.target = value.text().map(Into::into),
//!             "code" => result.exit_code = value.integer(),
//!             "output" => result.text.extend(value.text()),
//!             _ => {}
//!         });
//!         reading.role = Some(Role::Tool);
//!         if call.target.is_some() {
//!             reading.calls.push(call);
//!         } else {
//!             reading.results.push(result);
//!         }
//!         reading
//!     }
//! }
//!
//! let readings = Readings::default().with("acme.build", Arc::new(BuildSteps));
//! let payload = Payload::new("step_ended", br#"{"step":"7","code":2,"output":"no\u0020such file"}"#);
//! let reading = readings.read(Some("acme.build"), &payload);
//! assert_eq!(reading.results[0].text.to_string(), "no such file");
//! assert!(forebear::readings::failure("step_ended", &reading).is_some());
//! ```
//!
//! Texts are borrowed from the payload and decoded when they are asked for: see [`Text`].

#![warn(missing_docs)]

mod command;
mod failure;
mod fallback;
pub mod json;
mod labels;
mod payload;
mod reading;
mod registry;
mod text;

pub use failure::{Failure, FailureKind, failure, failure_of_call};
pub use fallback::TEXT_FIELDS;
pub use labels::{MAX_CALLS, MAX_TITLE_BYTES, MAX_TOOLS, keys, labels, numbered};
pub use payload::{Payload, PayloadReader};
pub use reading::{
    Access, Call, CallFamily, CallResult, FileUse, Interruption, MessageUsage, Mishap, Plan,
    PlanItem, PlanState, Reading, Role, Title, TitleSource,
};
pub use registry::Readings;
pub use text::{Text, Texts, one_line};
