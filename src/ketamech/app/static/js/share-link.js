// Cases and settings of the workbench as a link. All of it stands behind the #, so it is never sent to a server.

export const MAX_CASES = 4;
const MAX_ENCODED = 240000;
const MAX_TEXT = 5000;

export function linkTo({ cases, view = {}, tab = null }) {
  const bytes = new TextEncoder().encode(JSON.stringify({ cases, view }));
  const encoded = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const urlSafe = encoded.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `#s=${urlSafe}${tab ? `&tab=${tab}` : ""}`;
}

function decode(text) {
  if (text.length > MAX_ENCODED) throw new Error("too long");
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

// { cases, view, tab } of a link; `isBroken`: there was something that could not be read.
export function readLink(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const tab = /^[a-z]{1,20}$/.test(parts.get("tab") ?? "") ? parts.get("tab") : null;
  const text = parts.get("s");
  if (!text) return { tab, cases: null, view: {}, isBroken: false };
  try {
    const { cases, view } = decode(text);
    if (!Array.isArray(cases) || !cases.length || cases.length > MAX_CASES) throw new Error("not cases");
    const known = Object.entries(view ?? {}).filter(([name, value]) => /^[a-z.]{1,30}$/.test(name) && isScalar(value));
    return { tab, cases: cases.map(checkedCase), view: Object.fromEntries(known), isBroken: false };
  } catch {
    return { tab, cases: null, view: {}, isBroken: true };
  }
}

const isScalar = (value) => ["string", "number", "boolean"].includes(typeof value) && String(value).length <= MAX_TEXT;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isObjectOf = (check) => (value) => isObject(value) && Object.values(value).every(check);
const isScalarOrNull = (value) => value === null || isScalar(value);
const isTreatment = (value) => isScalar(value) || isObjectOf(isScalarOrNull)(value);

const CASE_KEYS = {
  title: isScalar,
  description: isScalar,
  species: isScalar,
  variant: isScalar,
  horizon: isScalar,
  seed: Number.isInteger,
  control: (value) => typeof value === "boolean",
  treatments: (value) => Array.isArray(value) && value.length > 0 && value.every(isTreatment),
  person: isObjectOf(isScalarOrNull),
  pathways: isObjectOf((value) => typeof value === "boolean"),
  perturbations: (value) => (Array.isArray(value) ? value.every(isScalar) : isObjectOf(isScalar)(value)),
  parameters: isObjectOf(isScalar),
};

// A case whose values have the types that the fields expect; throws for another.
function checkedCase(value) {
  if (!isObject(value) || !("treatments" in value)) throw new Error("not a case");
  const given = Object.entries(value)
    .filter(([, content]) => content !== null)
    .map(([key, content]) => [key === "wiring" ? "variant" : key, content]); // the name in links of version 0.2.0
  for (const [key, content] of given) {
    if (!Object.hasOwn(CASE_KEYS, key) || !CASE_KEYS[key](content)) throw new Error(`not a ${key}`);
  }
  return Object.fromEntries(given);
}
