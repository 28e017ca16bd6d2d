// What is on the bench as a link: everything behind the #, so it never leaves the reader's machines.

const MOST = 4, LONGEST = 60000;

export function written(state) {
  const bytes = new TextEncoder().encode(JSON.stringify({ cases: state.cases, view: state.view }));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `#s=${btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}&tab=${state.tab}`;
}

// { cases, view, tab } of a link; `bad` says that there was something that could not be read.
export function readLink(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const found = { tab: /^[a-z]{1,20}$/.test(parts.get("tab") ?? "") ? parts.get("tab") : null, cases: null, view: {}, bad: false };
  const text = parts.get("s");
  if (!text) return found;
  try {
    if (text.length > LONGEST * 4) throw new Error("too long");
    const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    const said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (!Array.isArray(said.cases) || !said.cases.length || said.cases.length > MOST) throw new Error("not cases");
    found.cases = said.cases.map(tidy);
    for (const [name, value] of Object.entries(said.view ?? {})) if (/^[a-z.]{1,30}$/.test(name) && isWord(value)) found.view[name] = value;
  } catch {
    Object.assign(found, { bad: true, cases: null, view: {} });
  }
  return found;
}

const isWord = (value) => ["string", "number", "boolean"].includes(typeof value) && String(value).length <= 5000;
const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const KEYS = {
  title: isWord, description: isWord, species: isWord, wiring: isWord, horizon: isWord, seed: (v) => Number.isInteger(v), control: (v) => typeof v === "boolean",
  treatments: (v) => Array.isArray(v) && v.length > 0 && v.every((one) => isWord(one) || (isMap(one) && Object.values(one).every((part) => part === null || isWord(part)))),
  person: (v) => isMap(v) && Object.values(v).every((one) => one === null || isWord(one)), pathways: (v) => isMap(v) && Object.values(v).every((one) => typeof one === "boolean"),
  perturbations: (v) => (Array.isArray(v) ? v.every(isWord) : isMap(v) && Object.values(v).every(isWord)), parameters: (v) => isMap(v) && Object.values(v).every(isWord),
};

// A case whose parts are of the kinds that the fields expect; throws for another.
function tidy(one) {
  if (!isMap(one) || !("treatments" in one)) throw new Error("not a case");
  for (const [key, value] of Object.entries(one)) {
    if (value === null) continue;
    if (!Object.hasOwn(KEYS, key) || !KEYS[key](value)) throw new Error(`not a ${key}`);
  }
  return Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null));
}
