"""Asks each tool with the client of the PyPI package `mcp`, in both eras of the protocol, and
pages to the end: python_client.py PROGRAM. The ids have to be those of the program itself."""

import asyncio
import json
import os
import subprocess
import sys

import jsonschema
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

PROGRAM = sys.argv[1]
MAX_BYTES = 20_000


def program(*args):
    """The objects that the program prints."""
    said = subprocess.run([PROGRAM, *args, "--json"], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


class Asked:
    """A client, and the checks that every reply has to pass."""

    def __init__(self, client, tools):
        self.client = client
        self.tools = tools
        self.called = set()

    async def __call__(self, name, **arguments):
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, (name, result)
        answer = result.structured_content
        # The client checks this, too; here it is said which tool it is.
        jsonschema.validate(answer, self.tools[name].output_schema)
        size = len(result.model_dump_json(by_alias=True, exclude_none=True).encode())
        allowed = arguments.get("max_bytes", MAX_BYTES)
        assert size <= allowed, (name, arguments, size)
        assert result.content[0].text, name
        self.called.add(name)
        return answer

    async def pages(self, name, of="events", **arguments):
        """The events, or what else it lists, of all pages."""
        events = []
        while True:
            answer = await self(name, **arguments)
            events += answer[of]
            if "next" not in answer:
                return events
            arguments["cursor"] = answer["next"]


async def whole_chain(asked, event_id, max_depth):
    """A chain whose folds are asked for in turn."""
    answer = await asked("get_parent_chain", id=event_id, max_depth=max_depth)
    chain = []
    for event in answer["events"]:
        if "omitted" in event:
            part = await whole_chain(asked, event["from"], event["omitted"] - 1)
            assert len(part) == event["omitted"], (len(part), event)
            chain += part
        else:
            chain.append(event)
    return chain


def same_ids(events, expected, what):
    """Each id is the beginning of the one that the program gives, and there are as many."""
    found = [event["id"] for event in events]
    expected = [event["id"] for event in expected]
    assert len(found) == len(expected), (what, len(found), len(expected))
    for short, whole in zip(found, expected):
        assert whole.startswith(short), (what, short, whole)
    print(f"  {what}: {len(found)} events, as the program has them")


async def ask_all(mode, version):
    parameters = StdioServerParameters(command=PROGRAM, args=["mcp"], env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode) as client:
        assert client.protocol_version == version, client.protocol_version
        print(f"the client of PyPI, over {client.protocol_version}")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for tool in tools.values():
            assert tool.title and tool.output_schema and tool.annotations.read_only_hint, tool
        asked = Asked(client, tools)
        why = await asked("get_failure_chain")
        assert why["failure"]["text"].startswith("the build failed"), why["failure"]
        failure = why["failure"]["id"]
        ours = [event for event in program("chain", failure, "--max-depth", "10000") if "id" in event]
        chain = await whole_chain(asked, failure, 10_000)
        same_ids(chain, ours, "chain")
        root = ours[-1]["id"]
        children = await asked.pages("get_child_events", id=root, limit=25)
        same_ids(children, [event for event in program("children", root, "--all") if "id" in event], "children")
        below = await asked.pages("get_child_events", id=root, recursive=True, limit=200)
        tree = program("tree", root, "--limit", "5000", "--max-depth", "5000")
        same_ids(below, [event for event in tree if event.get("below", 0) > 0], "tree")
        listed = await asked.pages("search_events", session="story", limit=200)
        same_ids(listed, [event for event in program("events", "--session", "story", "--all") if "id" in event], "events")
        said = await asked.pages("search_events", text="long story", limit=150)
        assert len(said) == 996, len(said)
        sessions = await asked("list_sessions")
        assert {session["id"] for session in sessions["sessions"]} >= {"story"}, sessions
        tree = await asked("session_tree", session="sto")
        assert tree["sessions"][0]["id"] == "story", tree
        resume = await asked("smart_resume_context", session="story")
        assert "agent's note 1059" in resume["text"], resume["text"]
        event = await asked("get_event", id=root)
        assert event["payload"]["text"] == "please build it", event
        decided = await asked.pages("audit_decisions", of="decisions", session="service", limit=7)
        ours = program("decisions", "service")[0]["decisions"]
        assert [(one["kind"], one["what"]) for one in decided] == [(one["kind"], one["what"]) for one in ours], decided
        assert len(decided) == 30, len(decided)
        spent = await asked("analyze_performance", session="story")
        ours = program("slow", "story")[0]["time"]
        assert {name: spent["time"][name + "_ms"] for name in ("tools", "model", "user")} == {
            name: ours[name + "_ns"] // 10**6 for name in ("tools", "model", "user")}, spent
        refused = await client.call_tool("get_event", {"id": "ffffffff-ffff"})
        assert refused.is_error and "search_events" in refused.content[0].text, refused
        assert asked.called == set(tools), set(tools) - asked.called
        print(f"  {len(tools)} tools called, every reply within its bytes and its schema")


async def main():
    await ask_all("2026-07-28", "2026-07-28")
    await ask_all("legacy", "2025-11-25")


asyncio.run(main())
