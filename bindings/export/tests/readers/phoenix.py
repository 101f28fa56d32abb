"""Sends spans to a server of Phoenix and compares its list: phoenix.py FILE ADDRESS."""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from read import with_base64_ids

FILE, ADDRESS = sys.argv[1:]


def ask(path, body=None):
    headers = {"Content-Type": "application/x-protobuf"} if body else {}
    request = urllib.request.Request(ADDRESS + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def wait_for_server():
    for _ in range(120):
        try:
            return ask("/healthz")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    sys.exit("the server does not answer")


def listed():
    spans, cursor = {}, None
    while True:
        query = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
        page = json.loads(ask("/v1/projects/default/spans?" + urllib.parse.urlencode(query)))
        for span in page["data"]:
            spans[span["context"]["span_id"]] = span.get("parent_id") or None
        cursor = page.get("next_cursor")
        if not cursor:
            return spans


wait_for_server()
sent = {}
with open(FILE) as lines:
    for line in lines:
        request = json.loads(line)
        for group in request["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    sent[span["spanId"]] = span.get("parentSpanId")
        parsed = json_format.ParseDict(with_base64_ids(request), ExportTraceServiceRequest())
        ask("/v1/traces", parsed.SerializeToString())
for _ in range(120):
    found = listed()
    if len(found) >= len(sent):
        break
    time.sleep(1)
assert found == sent, (len(found), len(sent))
print(f"phoenix: {len(found)} spans, each below the one that it was sent below")
