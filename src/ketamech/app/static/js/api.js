// Requests to the server. A lost connection is reported once and tried again until it returns.

export class ServerError extends Error {
  constructor(response, status) {
    super(response.text ?? response.error ?? "The request failed.");
    Object.assign(this, response, { status });
  }
}

export const NO_RESPONSE = "The server does not respond. The request is repeated when the connection returns.";
export const errorMessage = (error) => (error instanceof ServerError ? error.message : NO_RESPONSE);

const listeners = new Set();
let lost = false;

export const onConnectionChange = (listener) => listeners.add(listener);

export function setConnected(connected) {
  if (connected === !lost) return;
  lost = !connected;
  for (const listener of listeners) listener(connected);
  if (lost) reconnect(500);
}

function reconnect(milliseconds) {
  setTimeout(async () => {
    try {
      await fetch("/api/about", { cache: "no-store" });
      setConnected(true);
    } catch {
      reconnect(Math.min(milliseconds * 1.5, 4000));
    }
  }, milliseconds);
}

async function send(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name !== "AbortError") setConnected(false);
    throw error;
  }
  setConnected(true);
  if (response.ok) return response;
  let body = { error: `The server answered with status ${response.status}.` };
  try {
    body = await response.json();
  } catch {
    // not JSON: the status is all there is
  }
  throw new ServerError(body, response.status);
}

export const getJson = async (path) => (await send(path, {})).json();

export const postJson = async (path, body) => (await post(path, body)).json();

export function post(path, body) {
  const headers = { "content-type": "application/json" };
  return send(path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

export const deleteJson = async (path) => (await send(path, { method: "DELETE" })).json();

// Runs one task at a time; of the calls that arrive meanwhile only the last one is run. `task` may ask whether a newer
// call waits.
export class LatestTask {
  constructor(task) {
    Object.assign(this, { task, waiting: false, busy: false });
  }

  async run() {
    this.waiting = true;
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      this.waiting = false;
      try {
        await this.task(() => this.waiting);
      } catch (error) {
        if (!(error instanceof TypeError)) console.error(error); // a TypeError of fetch: the connection is lost
      }
    }
    this.busy = false;
  }
}
