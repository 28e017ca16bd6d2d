// Asking the server. A lost connection is said once, tried again until it is back, and told to whoever waits.

export class Problem extends Error {
  constructor(told, status) {
    super(told.text ?? told.what ?? "something went wrong");
    Object.assign(this, told, { status });
  }
}

const listeners = new Set();
let lost = false;

export const onConnection = (listener) => listeners.add(listener);

function connected(now) {
  if (now === !lost) return;
  lost = !now;
  for (const listener of listeners) listener(now);
  if (lost) tryAgain(500);
}

function tryAgain(wait) {
  setTimeout(async () => {
    try {
      await fetch("/api/about", { cache: "no-store" });
      connected(true);
    } catch {
      tryAgain(Math.min(wait * 1.5, 4000));
    }
  }, wait);
}

async function send(path, given) {
  let response;
  try {
    response = await fetch(path, given);
  } catch (error) {
    if (error.name !== "AbortError") connected(false);
    throw error;
  }
  connected(true);
  if (response.ok) return response;
  let told = { kind: "Trouble", what: `the server answered ${response.status}` };
  try { told = await response.json(); } catch { /* not JSON: the status is all there is */ }
  throw new Problem(told, response.status);
}

export const unanswered = (error) => (error instanceof Problem ? error.message : "The program does not answer. This is asked again as soon as it does.");

export async function get(path) {
  return (await send(path, {})).json();
}

export async function ask(path, body, signal) {
  return (await raw(path, body, signal)).json();
}

export function raw(path, body, signal) {
  return send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}), signal });
}

export async function drop(path) {
  return (await send(path, { method: "DELETE" })).json();
}

// A job from start to end: `told` hears of its progress. Returns { done: promise of the result, cancel }.
export function job(path, body, told) {
  let number = null, stopped = false;
  const cancel = async () => { stopped = true; if (number) await drop(`/api/jobs/${number}`).catch(() => {}); };
  const done = (async () => {
    const begun = await ask(path, body);
    number = begun.id;
    if (stopped) await cancel();
    told(begun);
    const last = await watched(number, told);
    if (last.state === "failed") throw Object.assign(new Problem(last.problem, 422), { job: number });
    if (last.state === "cancelled") return null;
    return (await get(`/api/jobs/${number}`)).result;
  })();
  return { done, cancel };
}

function watched(number, told) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/jobs/${number}/events`);
    events.onmessage = (message) => {
      const state = JSON.parse(message.data);
      told(state);
      if (["done", "failed", "cancelled"].includes(state.state)) { events.close(); resolve(state); }
    };
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) reject(new Problem({ what: "the program no longer knows this job: it was started anew meanwhile. What you set is kept; run it again." }, 0));
      else connected(false);
    };
  });
}

// Many changes, one question at a time: while one is under way only the last of the others waits.
export class Latest {
  constructor(work) { this.work = work; this.waiting = null; this.busy = false; }

  push(given) {
    this.waiting = { given };
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.waiting) {
      const { given } = this.waiting;
      this.waiting = null;
      try { await this.work(given, () => this.waiting !== null); } catch (error) { if (!(error instanceof TypeError)) console.error(error); }
    }
    this.busy = false;
  }
}
