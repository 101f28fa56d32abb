"""Sends the requests that the hooks of disler's multi-agent observability send, for all event
types, while a WebSocket client listens; then an agent's question and its answer. Where
OBSERVABILITY_HOOKS names the folder `.claude/hooks` of a checkout, its own `send_event.py` sends
them, as it is there."""

import asyncio
import json
import os
import subprocess
import time
import urllib.request

import websockets

URL = os.environ["FOREBEAR_URL"]
TOKEN = os.environ["FOREBEAR_TOKEN"]
BASE = f"{URL}/t/{TOKEN}"
HOOKS = os.environ.get("OBSERVABILITY_HOOKS")
CALLS = [
    ("SessionStart", {"source": "startup"}),
    ("UserPromptSubmit", {"prompt": "make it work"}),
    ("PreToolUse", {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "make"}}),
    ("PermissionRequest", {"tool_name": "Bash", "permission_suggestions": []}),
    ("Notification", {"notification_type": "idle", "message": "waiting"}),
    ("PostToolUseFailure", {"tool_name": "Bash", "tool_use_id": "t1", "error": "it broke"}),
    ("PreToolUse", {"tool_name": "Task", "tool_use_id": "t2",
                    "tool_input": {"subagent_type": "helper"}}),
    ("SubagentStart", {"agent_id": "a1", "agent_type": "helper"}),
    ("SubagentStop", {"agent_id": "a1", "agent_type": "helper"}),
    ("PostToolUse", {"tool_name": "Task", "tool_use_id": "t2", "tool_response": {"agentId": "a1"}}),
    ("PreCompact", {"custom_instructions": ""}),
    ("Stop", {"stop_hook_active": False}),
    ("SessionEnd", {"reason": "exit"}),
]


def ask(path, body=None, headers=()):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(path, data=data, headers={
        "Content-Type": "application/json", "User-Agent": "Claude-Code-Hook/1.0", **dict(headers)})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
        return json.load(reply)


def send(kind, payload):
    """As `send_event.py` does it."""
    payload = {"session_id": "observed", "hook_event_name": kind, **payload}
    if HOOKS:
        said = subprocess.run(
            ["python3", "send_event.py", "--source-app", "observed-app", "--event-type", kind,
             "--server-url", f"{BASE}/events"],
            cwd=HOOKS, input=json.dumps(payload), text=True, capture_output=True, check=True)
        assert not said.stderr, said.stderr
        return
    event = {"source_app": "observed-app", "session_id": "observed", "hook_event_type": kind,
             "payload": payload, "timestamp": int(time.time() * 1000), "model_name": ""}
    for key in ("tool_name", "tool_use_id", "error", "permission_suggestions", "agent_id",
                "agent_type", "stop_hook_active", "notification_type", "custom_instructions",
                "source", "reason"):
        if key in payload:
            event[key] = payload[key]
    ask(f"{BASE}/events", event)


async def main():
    stream = BASE.replace("http", "ws", 1) + "/stream"
    async with websockets.connect(stream, origin="http://localhost:5173") as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "initial", first
        for kind, payload in CALLS:
            await asyncio.to_thread(send, kind, payload)
            told = json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert told["type"] == "event", told
            assert told["data"]["hook_event_type"] == kind, told
            assert told["data"]["source_app"] == "observed-app", told
            for key, value in payload.items():
                assert told["data"]["payload"][key] == value, (key, told)
        await question(socket)
    recent = ask(f"{BASE}/events/recent?limit=100")
    kinds = [call["hook_event_type"] for call in recent if call["session_id"] == "observed"]
    assert kinds == [kind for kind, _ in CALLS] + ["HumanInTheLoop"], kinds
    options = ask(f"{BASE}/events/filter-options")
    assert "observed-app" in options["source_apps"] and "observed" in options["session_ids"]

    # What their server can't say: why the tool failed.
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    failed = ask(f"{URL}/api/events?kind=PostToolUseFailure", headers=bearer)["items"][0]
    chain = ask(f"{URL}/api/events/{failed['id']}/chain", headers=bearer)
    kinds = [event["kind"] for event in chain["items"]]
    assert kinds == ["PostToolUseFailure", "PreToolUse", "UserPromptSubmit", "SessionStart"], kinds
    how = "send_event.py itself" if HOOKS else "its requests"
    print(f"hooks of the observability server: {len(CALLS)} calls by {how}, an answer, the chain")


async def question(socket):
    """An agent asks, a person answers, and the agent is told."""
    answered = asyncio.get_running_loop().create_future()

    async def agent(connection):
        answered.set_result(json.loads(await connection.recv()))

    async with websockets.serve(agent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asked = {"source_app": "observed-app", "session_id": "observed",
                 "hook_event_type": "HumanInTheLoop", "payload": {},
                 "timestamp": int(time.time() * 1000),
                 "humanInTheLoop": {"question": "go on?", "type": "permission",
                                    "responseWebSocketUrl": f"ws://localhost:{port}"}}
        told = await asyncio.to_thread(ask, f"{BASE}/events", asked)
        assert told["humanInTheLoopStatus"]["status"] == "pending", told
        assert json.loads(await socket.recv())["data"]["id"] == told["id"]
        await asyncio.to_thread(
            ask, f"{BASE}/events/{told['id']}/respond", {"permission": True, "hookEvent": asked})
        answer = await asyncio.wait_for(answered, 10)
        assert answer["permission"] is True and answer["respondedAt"], answer
        again = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert again["data"]["humanInTheLoopStatus"]["status"] == "responded", again


asyncio.run(main())
