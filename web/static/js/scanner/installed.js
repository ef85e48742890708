/**
 * The service worker that keeps this page for times without network, and the word that there is a newer one. It is
 * taken by a tap, when nothing is on its way: never under somebody's hands.
 */
const LOOK_EVERY_MS = 15 * 60_000;

export class Installed {
  constructor({ data, strings }) {
    this.data = data;
    this.strings = strings;
    this.registration = null;
    this.waiting = 0;
    this.isTaken = false;
    this.button = document.getElementById("new-version");
    this.button.addEventListener("click", () => this.take());
  }

  /** Never rejects: without a worker the page works as long as it stays open. */
  async start() {
    const workers = globalThis.navigator?.serviceWorker;
    if (!workers || !globalThis.isSecureContext || !this.data.worker) return;
    try {
      this.registration = await workers.register(this.data.worker, { scope: this.data.scope, updateViaCache: "none" });
    } catch {
      return; // private windows refuse
    }
    const { registration } = this;
    workers.addEventListener("controllerchange", () => this.isTaken && location.reload());
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", () => this.paint());
    });
    setInterval(() => this.look(), LOOK_EVERY_MS);
    const ready = await workers.ready;
    if (!this.data.device) ready.active?.postMessage("keep page");
    // What is kept must not be the first to go when the phone runs out of room.
    navigator.storage?.persist?.().catch(() => {});
    this.paint();
    document.documentElement.dataset.worker = "ready";
  }

  look() {
    this.registration?.update().catch(() => {}); // looked again later
  }

  /** The server said which version it gives out. */
  heard(version) {
    if (version && version !== this.data.build) this.look();
  }

  /** `waiting`: scans that are on their way. */
  paint(waiting = this.waiting) {
    this.waiting = waiting;
    // A first worker waits for nobody; one that waits is newer than the page.
    this.button.hidden = !this.registration?.waiting || waiting > 0;
  }

  say() {
    this.button.querySelector("span").textContent = this.strings().new_version;
  }

  take() {
    if (this.waiting || !this.registration?.waiting) return;
    this.isTaken = true;
    this.registration.waiting.postMessage("take over");
  }
}
