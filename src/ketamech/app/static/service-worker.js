// Stores every file of the static site, so that the page works without a connection. files.js, written by the builder,
// sets self.site = { version, files }; a new version is used from the next visit on.

importScripts("files.js");

const { version, files } = self.site;
const PREFIX = `ketamech ${self.registration.scope} `;
const CACHE = PREFIX + version;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)));
});

self.addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith(PREFIX) && name !== CACHE;
  const removeOld = (names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(removeOld));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const stored = caches.open(CACHE).then((cache) => cache.match(event.request, { ignoreSearch: true }));
  event.respondWith(stored.then((response) => response ?? fetch(event.request)));
});
