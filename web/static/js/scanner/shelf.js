/**
 * What the scanner keeps: values under keys that are lists, in named stores, several changed together or not at all.
 * In IndexedDB where the browser lets us, else in memory, which the page has to say.
 */
import * as database from "./database.js";

const upTo = (prefix) => IDBKeyRange.bound(prefix, [...prefix, []]);

/** A change is {store, key, value}, {store, key} to remove, or {store, prefix} to remove all that begins so. */
export class DatabaseShelf {
  isLasting = true;

  get(store, key) {
    return database.get(store, key);
  }

  /** [key, value] of everything whose key begins so, in the order of the keys. */
  async all(store, prefix) {
    const [keys, values] = await database.within([store], "readonly", (it) => [
      it.getAllKeys(upTo(prefix)),
      it.getAll(upTo(prefix)),
    ]);
    return keys.result.map((key, index) => [key, values.result[index]]);
  }

  change(changes) {
    if (!changes.length) return Promise.resolve();
    const names = [...new Set(changes.map(({ store }) => store))];
    return database.within(names, "readwrite", (...stores) => {
      const by = new Map(names.map((name, index) => [name, stores[index]]));
      for (const one of changes) {
        if (one.prefix) by.get(one.store).delete(upTo(one.prefix));
        else if (one.value === undefined) by.get(one.store).delete(one.key);
        else by.get(one.store).put(one.value, one.key);
      }
    });
  }
}

/** The same in memory: for browsers that keep nothing, and for tests. */
export class MemoryShelf {
  isLasting = false;
  #stores = new Map();

  #store(name) {
    if (!this.#stores.has(name)) this.#stores.set(name, new Map());
    return this.#stores.get(name);
  }

  async get(store, key) {
    return this.#store(store).get(JSON.stringify(key))?.[1];
  }

  async all(store, prefix) {
    const begins = (key) => Array.isArray(key) && prefix.every((part, index) => key[index] === part);
    return [...this.#store(store).values()].filter(([key]) => begins(key)).sort(([a], [b]) => compare(a, b));
  }

  async change(changes) {
    for (const one of changes) {
      const store = this.#store(one.store);
      if (one.prefix) for (const [key] of await this.all(one.store, one.prefix)) store.delete(JSON.stringify(key));
      else if (one.value === undefined) store.delete(JSON.stringify(one.key));
      else store.set(JSON.stringify(one.key), [one.key, one.value]);
    }
  }
}

function compare(a, b) {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    if (a[index] !== b[index]) return a[index] < b[index] ? -1 : 1;
  }
  return a.length - b.length;
}

/** The lasting one where it can be written and read, else memory. Never rejects. */
export async function openShelf(patienceMs = 4000) {
  const shelf = new DatabaseShelf();
  const mark = `${Math.random()}`;
  const tried = async () => {
    await shelf.change([{ store: "meta", key: ["shelf"], value: mark }]);
    return (await shelf.get("meta", ["shelf"])) === mark;
  };
  // A private window may let it hang for ever.
  const gaveUp = new Promise((done) => setTimeout(() => done(false), patienceMs));
  const isThere = await Promise.race([tried().catch(() => false), gaveUp]);
  return isThere ? shelf : new MemoryShelf();
}
