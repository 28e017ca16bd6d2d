// What is on the bench as a link: everything behind the #, so it never leaves the reader's machines.

const MOST = 6;

export function written(state) {
  const bytes = new TextEncoder().encode(JSON.stringify({ cases: state.cases }));
  const text = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `#s=${text}&tab=${state.tab}`;
}

// { cases, tab } of a link; `bad` says that there was something that could not be read.
export function readLink(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const found = { tab: /^[a-z]{1,20}$/.test(parts.get("tab") ?? "") ? parts.get("tab") : null, cases: null, bad: false };
  const text = parts.get("s");
  if (!text) return found;
  try {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    const cases = JSON.parse(new TextDecoder().decode(bytes)).cases;
    if (!Array.isArray(cases) || !cases.length || cases.length > MOST || !cases.every((one) => one && typeof one === "object" && Array.isArray(one.treatments))) throw new Error("not cases");
    found.cases = cases;
  } catch {
    found.bad = true;
  }
  return found;
}
