/**
 * What this browser is paired as, one pairing an event: {token, slug, device, instance}.
 *
 * `device` is the server's own object of `api/devices/pair`; `instance` is this browser's random number, made once and
 * kept for good: the server answers a repeated pairing of the same instance, and tells two phones of one token apart.
 */
import * as database from "./database.js";
import { newId } from "./queue.js";

/** Keeps a pairing; one that the event had before gives way. Rejects where nothing can be kept. */
export async function save({ token, slug, device, instance }) {
  return database.put("pairing", slug, { token, slug, device, instance });
}

/** The pairing for an event, or null. */
export async function load(slug) {
  return (await database.get("pairing", slug)) ?? null;
}

/** Drops the pairing of an event; queue and snapshot are their owners' to drop. */
export async function forget(slug) {
  return database.remove("pairing", slug);
}

/** This browser's random number; the first caller makes it, also of two tabs at once. */
export async function instance() {
  const fresh = newId();
  await database.within(["meta"], "readwrite", (meta) => {
    const request = meta.get("instance");
    request.onsuccess = () => {
      if (!request.result) meta.put(fresh, "instance");
    };
  });
  return database.get("meta", "instance");
}
