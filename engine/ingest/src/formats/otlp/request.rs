//! Requests of an exporter: spans or log records, by the resource and the scope they are of.

use forebear_readings::json::JsonCursor;

/// A span or a log record of a request, with what it is of, each as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestPart<'t> {
    pub(super) is_log: bool,
    /// The number of its resource's group, of which all parts follow each other.
    pub(super) group: usize,
    pub(super) resource: &'t str,
    pub(super) scope: &'t str,
    pub(super) record: &'t str,
}

/// Whether a member of an object is a list of what a request exports.
pub(super) fn is_export(key: &str) -> bool {
    is_spans(key) || is_logs(key) || matches!(key, "resourceMetrics" | "resource_metrics")
}

fn is_spans(key: &str) -> bool {
    matches!(key, "resourceSpans" | "resource_spans")
}

fn is_logs(key: &str) -> bool {
    matches!(key, "resourceLogs" | "resource_logs")
}

/// The spans and log records of a request, in their order; at most so many.
pub(super) fn parts(request: &str, at_most: usize) -> Vec<RequestPart<'_>> {
    let (mut parts, mut groups) = (Vec::new(), 0);
    JsonCursor::new(request).object(|key, value| {
        let is_log = is_logs(key);
        if is_log || is_spans(key) {
            value.array(|group| {
                let part = RequestPart { is_log, group: groups, ..RequestPart::default() };
                add_group(&mut parts, group, part, at_most);
                groups += 1;
            });
        }
    });
    parts
}

fn add_group<'t>(
    parts: &mut Vec<RequestPart<'t>>,
    group: &mut JsonCursor<'t>,
    part: RequestPart<'t>,
    at_most: usize,
) {
    let (mut resource, mut scopes) = ("", "");
    group.object(|key, value| match key {
        "resource" => resource = value.raw(),
        "scopeSpans"
        | "scope_spans"
        | "scopeLogs"
        | "scope_logs"
        | "instrumentationLibrarySpans"
        | "instrumentationLibraryLogs" => scopes = value.raw(),
        _ => {}
    });
    JsonCursor::new(scopes).array(|group| {
        let (mut scope, mut records) = ("", "");
        group.object(|key, value| match key {
            "scope" | "instrumentationLibrary" => scope = value.raw(),
            "spans" | "logRecords" | "log_records" => records = value.raw(),
            _ => {}
        });
        JsonCursor::new(records).array(|record| {
            if record.is_object() && parts.len() < at_most {
                parts.push(RequestPart { resource, scope, record: record.raw(), ..part });
            }
        });
    });
}

impl RequestPart<'_> {
    /// The bytes of what it is of, which each part repeats.
    pub(super) fn context_len(&self) -> usize {
        self.resource.len() + self.scope.len()
    }

    /// A request with this part alone; without what it is of where that is left out.
    pub(super) fn request(&self, with_context: bool) -> String {
        let (groups, scopes, records) = if self.is_log {
            ("resourceLogs", "scopeLogs", "logRecords")
        } else {
            ("resourceSpans", "scopeSpans", "spans")
        };
        let member = |key: &str, value: &str| {
            if value.is_empty() || !with_context {
                String::new()
            } else {
                format!("\"{key}\":{value},")
            }
        };
        let (resource, scope) = (member("resource", self.resource), member("scope", self.scope));
        let record = self.record;
        format!(
            "{{\"{groups}\":[{{{resource}\"{scopes}\":[{{{scope}\"{records}\":[{record}]}}]}}]}}"
        )
    }
}
