"""FastAPI and sse-starlette: one queue a stream, one list of queues a session."""

import asyncio
from collections import defaultdict

from fastapi import FastAPI, Request, Response
from sse_starlette.sse import EventSourceResponse

app = FastAPI()
followers: dict[str, set[asyncio.Queue]] = defaultdict(set)


@app.get("/readyz")
async def ready():
    return {"ready": True}


@app.post("/api/v1/sessions", status_code=201)
@app.post("/api/v1/sessions/{session}/complete", status_code=202)
async def accepted():
    return {}


@app.post("/api/v1/sessions/{session}/status", status_code=202)
async def publish(session: str, request: Request):
    body = (await request.body()).decode()
    for queue in followers[session]:
        queue.put_nowait(body)
    return Response(status_code=202)


@app.get("/api/v1/sessions/{session}/status/stream")
async def stream(session: str):
    queue: asyncio.Queue = asyncio.Queue()
    followers[session].add(queue)

    async def events():
        try:
            while True:
                yield {"event": "status", "data": await queue.get()}
        finally:
            followers[session].discard(queue)

    return EventSourceResponse(events(), ping=15)
