// A back end that reports its work.

interface Status {
  stage: string;
  progress: number;
  message?: string;
  data?: unknown;
  state?: "running" | "completed" | "failed";
}

/** Publishes the events of one session, one after the other; the first makes it. */
export async function publish(url: string, session: string, events: Status[]): Promise<void> {
  for (const event of events) {
    const answer = await fetch(`${url}/api/v1/sessions/${session}/status`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(event),
    });
    if (answer.status !== 202) throw new Error(`publishing answered ${answer.status}: ${await answer.text()}`);
  }
}

/** Which way this server tells a session's clients to follow it. */
export async function create(url: string, id: string): Promise<"stream" | "poll"> {
  const answer = await fetch(`${url}/api/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id }),
  });
  return (await answer.json()).cohort;
}
