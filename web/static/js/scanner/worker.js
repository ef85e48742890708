/**
 * Keeps the scanner's page and files, so that it opens without a network. A classic script: the event's own worker names
 * itself in `self.HUIWU` and imports this one. Scans and answers are never kept here: that is the page's work.
 */
/* global self, caches, clients */
const { build, slug, shell, own, files } = self.HUIWU;
const PREFIX = `huiwu-scanner-${slug}-`;
const CACHE = PREFIX + build;
/** A page that a dying network does not bring within this is taken from what was kept. */
const PATIENCE_MS = 3000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then(async (cache) => {
      // All or nothing: a version that is kept by half would fail at the door.
      await cache.addAll(files);
      await Promise.all(shell.map((page) => cache.add(new Request(page, { credentials: "omit", cache: "reload" }))));
    }),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys();
      await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
      await clients.claim();
    })(),
  );
});

self.addEventListener("message", (event) => {
  // The page asks once somebody tapped and nothing is in flight.
  if (event.data === "take over") self.skipWaiting();
  // A volunteer's own page, which needs their sign-in: kept once it was open.
  if (event.data === "keep page") event.waitUntil(refresh(own).catch(() => {}));
  if (event.data === "forget page") event.waitUntil(caches.open(CACHE).then((cache) => cache.delete(own)));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const { origin, pathname } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (shell.includes(pathname)) event.respondWith(keptPage(pathname, request));
    else if (pathname === own) event.respondWith(ownPage(request));
  } else if (pathname.startsWith("/static/") || files.includes(pathname + new URL(request.url).search)) {
    event.respondWith(file(request));
  }
});

/** The page of a paired phone: what is kept goes with the files that are kept. A new one comes with a new worker. */
async function keptPage(pathname, request) {
  return (await caches.match(pathname, { cacheName: CACHE })) ?? fetch(request);
}

/** A volunteer's own page: fresh where the network is good for it, else as it was last. */
async function ownPage(request) {
  const kept = await caches.match(own, { cacheName: CACHE });
  if (!kept) return fetch(request);
  const giveUp = new Promise((done) => setTimeout(done, PATIENCE_MS));
  const fresh = fetch(request).catch(() => null);
  const answer = await Promise.race([fresh, giveUp]);
  // A venue's own sign-in page comes as a redirect or an error; ours as 200, or as a redirect to our sign-in.
  return answer && (answer.ok || answer.type === "opaqueredirect") ? answer : kept;
}

async function refresh(page) {
  const answer = await fetch(page, { credentials: "same-origin", cache: "reload", redirect: "error" });
  if (answer.ok) await (await caches.open(CACHE)).put(page, answer);
}

async function file(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  // Under the address of its own content: it will never be another.
  if (answer.ok && new URL(request.url).pathname.startsWith(`/static/${build}/`)) {
    const copy = answer.clone();
    caches.open(CACHE).then((cache) => cache.put(request, copy)).catch(() => {});
  }
  return answer;
}
