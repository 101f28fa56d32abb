"""Prints a history for `forebear append`: a request and below it a chain 997 deep, ending in a
failure, with an agent beside it; and a service that states decisions."""

import json
import uuid


def event_id(number):
    """An id whose beginning is spread."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))


def main():
    time_ns = 1_772_366_400_000_000_000
    parent = None
    for number in range(998):
        kind = "tool_use" if number % 2 else "tool_result"
        payload = {"text": f"step {number}: " + "some words of a long story " * 20}
        if number == 0:
            kind, payload = "user_message", {"text": "please build it"}
        elif number == 997:
            kind, payload = "error", "the build failed\nfor lack of a disk"
        event = {
            "id": event_id(number), "kind": kind, "session": "story", "instance": "story",
            "time": time_ns + number * 10**9, "labels": {"number": str(number)},
            "payload": payload,
        }
        if parent:
            event["parent"] = parent
        parent = event["id"]
        print(json.dumps(event))
    for number in range(998, 1060):
        print(json.dumps({
            "id": event_id(number), "kind": "note", "session": "story", "instance": "helper",
            "scope": "own", "parent": event_id(0), "link": "spawned",
            "time": time_ns + number * 10**9, "payload": {"text": f"agent's note {number}"},
        }))
    for number in range(30):
        print(json.dumps({
            "id": event_id(2000 + number), "kind": "spawn_decision", "session": "service",
            "time": time_ns + number * 2 * 10**9, "payload": {"reason": f"reason {number}"},
        }))


main()
