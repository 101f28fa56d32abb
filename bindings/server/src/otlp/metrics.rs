//! Metrics, which are counted and not kept.

use serde_json::Value;

use crate::otlp::protobuf::{Fields, ProtoResult, WireValue};

/// The data points of a request, by its Protobuf.
pub(super) fn points_of_protobuf(request: &[u8]) -> ProtoResult<u64> {
    // Resource, scope, metric, what sort of metric, point.
    const PATH: [&[u32]; 5] = [&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]];
    fn count(bytes: &[u8], path: &[&[u32]]) -> ProtoResult<u64> {
        let Some((numbers, rest)) = path.split_first() else { return Ok(1) };
        let mut points = 0;
        for field in Fields(bytes) {
            if let (number, WireValue::Bytes(bytes)) = field?
                && numbers.contains(&number)
            {
                points += count(bytes, rest)?;
            }
        }
        Ok(points)
    }
    count(request, &PATH)
}

/// The data points of a request, by its JSON.
pub(super) fn points_of_json(request: &[u8]) -> ProtoResult<u64> {
    fn count(value: &Value) -> u64 {
        match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| match value {
                    Value::Array(points) if key == "dataPoints" => points.len() as u64,
                    value => count(value),
                })
                .sum(),
            _ => 0,
        }
    }
    serde_json::from_slice(request).map(|value| count(&value)).map_err(|error| error.to_string())
}
