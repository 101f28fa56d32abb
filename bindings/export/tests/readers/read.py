"""Reads exports with the programs that they are meant for: read.py PROGRAM, with FOREBEAR_STORE set."""

import base64
import csv
import io
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent


def export(*args):
    command = [sys.argv[1], "export", *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def records():
    return [json.loads(line) for line in export("--format", "jsonl").splitlines()]


def payload_of(record):
    if "payload_base64" in record:
        return base64.b64decode(record["payload_base64"])
    return record.get("payload_text")


def check_csv(expected):
    # Python's csv refuses fields beyond 128 KiB unless told otherwise.
    csv.field_size_limit(sys.maxsize)
    text = export("--format", "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["id"] for row in rows] == [record["id"] for record in expected]
    for row, record in zip(rows, expected):
        assert json.loads(row["labels"]) == record["labels"], row
        if "payload" in record:
            assert json.loads(row["payload"]) == record["payload"], row
        elif "payload_text" in record:
            assert row["payload"] == record["payload_text"], row
        elif "payload_base64" in record:
            assert base64.b64decode(row["payload_base64"]) == payload_of(record), row
    print(f"csv: {len(rows)} rows")


def with_base64_ids(value):
    """The JSON of Protobuf has bytes in base64, that of OTLP ids in hexadecimal.

    What came in as telemetry goes out as it came, and some encoders write base64.
    """
    if isinstance(value, list):
        return [with_base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    as_base64 = lambda item: base64.b64encode(bytes.fromhex(item)).decode()
    is_hex = lambda key, item: key in ids and len(item) in (16, 32)
    return {
        key: as_base64(item) if is_hex(key, item) else with_base64_ids(item)
        for key, item in value.items()
    }


def check_otlp(expected):
    spans = []
    for line in export("--format", "otlp").splitlines():
        request = with_base64_ids(json.loads(line))
        if "resourceLogs" in request:
            json_format.ParseDict(request, ExportLogsServiceRequest())
            continue
        parsed = json_format.ParseDict(request, ExportTraceServiceRequest())
        for group in parsed.resource_spans:
            for scope in group.scope_spans:
                is_ours = scope.scope.name == "forebear"
                spans += [(span, is_ours) for span in scope.spans]
    ids = {record["id"] for record in expected}
    traces = defaultdict(list)
    for span, is_ours in spans:
        attributes = {pair.key: pair.value for pair in span.attributes}
        assert attributes["forebear.id"].string_value in ids, span
        if is_ours:
            traces[span.trace_id].append(span)
        if span.end_time_unix_nano:
            assert span.start_time_unix_nano <= span.end_time_unix_nano, span
    for trace in traces.values():
        own = Counter(span.span_id for span in trace)
        assert max(own.values()) == 1, own.most_common(1)
        roots = [span for span in trace if not span.parent_span_id]
        assert len(roots) == 1, roots
        for span in trace:
            assert not span.parent_span_id or span.parent_span_id in own, span
    kinds = Counter()
    for span, _ in spans:
        for pair in span.attributes:
            if pair.key == "openinference.span.kind":
                kinds[pair.value.string_value] += 1
    print(f"opentelemetry-proto: {len(spans)} spans in {len(traces)} traces, {dict(kinds)}")
    ours = [span for trace in traces.values() for span in trace]
    return sum(span.name.startswith("execute_tool") for span in ours)


def check_perfetto(calls):
    trace = Trace()
    trace.ParseFromString(export("--format", "perfetto"))
    described, events = set(), defaultdict(list)
    begun, flows, ends = Counter(), set(), set()
    for packet in trace.packet:
        if packet.HasField("track_descriptor"):
            descriptor = packet.track_descriptor
            assert not descriptor.HasField("parent_uuid") or descriptor.parent_uuid in described
            described.add(descriptor.uuid)
        if packet.HasField("track_event"):
            event = packet.track_event
            assert event.track_uuid in described, event
            events[event.track_uuid].append((packet.timestamp, event))
            if event.type == TrackEvent.TYPE_SLICE_BEGIN:
                begun.update(event.categories)
                flows.update(event.flow_ids)
            ends.update(event.terminating_flow_ids)
    for track in events.values():
        open_slices = 0
        for _, event in sorted(track, key=lambda at: at[0]):
            open_slices += {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(event.type, 0)
            assert 0 <= open_slices <= 1, (open_slices, event)
        assert open_slices == 0, track
    assert begun["call"] >= calls, (begun, calls)
    arrows = len(ends & flows)
    print(f"perfetto: {len(trace.packet)} packets, {len(described)} tracks, {dict(begun)}, {arrows} arrows")


def check_dot(expected):
    at = {record["id"]: record for record in expected}
    above = lambda record: at.get(record.get("parent"))
    height = lambda record: 1 + height(above(record)) if above(record) else 1
    deepest = max(expected, key=height)
    for args in (["--chain", deepest["id"]], ["--session", deepest["session"]]):
        graph = export("--format", "dot", *args)
        if shutil.which("dot") is None:
            print("graphviz: skipped, there is no dot")
            return
        drawn = subprocess.run(["dot", "-Tplain"], input=graph, check=True, stdout=subprocess.PIPE)
        lines = drawn.stdout.decode().splitlines()
        nodes = sum(line.startswith("node ") for line in lines)
        assert nodes and lines[-1] == "stop", lines
        print(f"graphviz: {nodes} nodes")


if __name__ == "__main__":
    stored = records()
    check_csv(stored)
    check_perfetto(check_otlp(stored))
    check_dot([record for record in stored if record.get("session")])
