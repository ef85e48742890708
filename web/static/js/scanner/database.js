/**
 * The scanner's one IndexedDB database. Every module that keeps something opens it here, so that its version is
 * counted in one place: whoever needs another store adds its name to STORES and raises VERSION by one.
 *
 * Stores (keys are given with each put, out of line):
 *   pairing   by the event's alias: {token, slug, device, instance}         pairing_store.js
 *   queue     scans that wait for the server
 *   snapshot  the encrypted picture of the event's passports
 *   names     the list of names, where the device may hold it
 *   kept      verdicts told on this phone, and other things that outlive a reload
 *   meta      small facts by name; "instance" is this browser's own random number
 */

export const NAME = "huiwu-scanner";
export const VERSION = 1;
export const STORES = ["pairing", "queue", "snapshot", "names", "kept", "meta"];

let opened = null;

/** The open database. Rejects where there is none (private windows, storage switched off), each time it is asked. */
export function open(indexedDB = globalThis.indexedDB) {
  opened ??= new Promise((done, failed) => {
    if (!indexedDB) throw new Error("no IndexedDB");
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const store of STORES) {
        if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store);
      }
    };
    request.onerror = () => failed(request.error);
    // Another tab holds an older version open: it lets go by itself (below), then onsuccess follows.
    request.onblocked = () => {};
    request.onsuccess = () => {
      const database = request.result;
      const forget = () => {
        opened = null;
      };
      database.onclose = forget;
      database.onversionchange = () => {
        forget();
        database.close();
      };
      done(database);
    };
  });
  opened.catch(() => {
    opened = null;
  });
  return opened;
}

/** Closes it for this page; the next `open` opens it anew. For tests, and before it is deleted. */
export async function close() {
  const database = await opened?.catch(() => null);
  opened = null;
  database?.close();
}

/**
 * Runs `work(store, ...)` in one transaction over `names` and gives what it returned, once that is durable. `work`
 * may return a request, whose result is given, or a value; it must not wait for anything but the database.
 */
export async function within(names, mode, work) {
  const database = await open();
  return new Promise((done, failed) => {
    const transaction = database.transaction(names, mode, mode === "readwrite" ? { durability: "strict" } : undefined);
    const found = work(...names.map((name) => transaction.objectStore(name)));
    transaction.oncomplete = () => done(found instanceof IDBRequest ? found.result : found);
    transaction.onabort = () => failed(transaction.error ?? new Error("aborted"));
  });
}

export const get = (store, key) => within([store], "readonly", (it) => it.get(key));
export const put = (store, key, value) => within([store], "readwrite", (it) => it.put(value, key)).then(() => value);
export const remove = (store, key) => within([store], "readwrite", (it) => it.delete(key)).then(() => undefined);
