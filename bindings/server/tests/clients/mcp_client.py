"""Asks tools with the client of the PyPI package `mcp` over HTTP, in both eras of the protocol."""

import asyncio
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["FOREBEAR_URL"] + "/mcp"
HEADERS = {"Authorization": f"Bearer {os.environ['FOREBEAR_TOKEN']}"}


async def ask(mode):
    async with httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
            tools = (await client.list_tools()).tools
            assert len(tools) >= 8, tools
            result = await client.call_tool("search_events", {"text": "it broke"})
            assert not result.is_error, result
            assert result.structured_content["events"], result
            result = await client.call_tool("get_event", {"id": "nowhere"})
            assert result.is_error, result


for mode in ("legacy", "auto", "2026-07-28"):
    asyncio.run(ask(mode))
print("mcp over HTTP: three modes")
