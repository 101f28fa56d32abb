"""Checks what the exporters left: each span once, below its parent, in the session that one span
of its trace names."""

import json
import os
import urllib.request

URL = os.environ["FOREBEAR_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['FOREBEAR_TOKEN']}"}


def ask(path):
    request = urllib.request.Request(URL + path, headers=HEADERS)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


spans = ask("/api/events?label=type%3Dspan&limit=1000")["items"]
named = {span["kind"]: span for span in spans}
assert len(spans) == len(named) == 5, [span["kind"] for span in spans]
assert ask("/api/stats")["versions"] == 0
for child, parent in [("tool_use", "py root"), ("py last", "py root"), ("js child", "js root")]:
    assert named[child]["parent"] == named[parent]["id"], (child, named[child])
    assert named[child]["root"] == named[parent]["id"], child
for root, session in [("py root", "python talk"), ("js root", "js talk")]:
    assert named[root]["session"] == session, named[root]
    # Spans end, and are sent, before their parent does: their session lies below the named one.
    tree = [node["id"] for node in ask(f"/api/sessions/{session.replace(' ', '%20')}/tree")["items"]]
    assert tree[0] == session and len(tree) == 2, tree
tool = named["tool_use"]
assert tool["labels"]["tool"] == "search" and tool["labels"]["is_error"] == "true", tool
assert ask(f"/api/failure/{tool['id']}")["failure"]["id"] == tool["id"]
print("the spans are there once each, below their parents")
