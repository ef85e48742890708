/** Sound, vibration, a screen that stays on, and memory: each where the device has it, silently absent where not. */
import { VIBRATIONS } from "./verdict.js";

/** Notes as [hertz, begins at, lasts] in seconds: up is good, level asks for a look, low and long is no. */
const NOTES = {
  go: [
    [880, 0, 0.09],
    [1319, 0.1, 0.16],
  ],
  care: [
    [740, 0, 0.12],
    [740, 0.18, 0.12],
  ],
  stop: [[196, 0, 0.5]],
};

export class Sound {
  constructor() {
    this.context = null;
    this.isOn = recall("sound") !== "off";
  }

  /** Browsers let a page sound only after a tap. */
  unlock() {
    try {
      this.context ??= new (globalThis.AudioContext ?? globalThis.webkitAudioContext)();
      this.context.resume();
    } catch {
      this.context = null;
    }
  }

  toggle() {
    this.isOn = !this.isOn;
    keep("sound", this.isOn ? "on" : "off");
    return this.isOn;
  }

  play(tone) {
    // Before the first touch browsers refuse, and write an error.
    if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(VIBRATIONS[tone] ?? []);
    if (!this.isOn || !this.context || !NOTES[tone]) return;
    // A call or another application may have suspended it meanwhile.
    this.context.resume();
    const start = this.context.currentTime + 0.02;
    for (const [hertz, begins, lasts] of NOTES[tone]) {
      const voice = this.context.createOscillator();
      const volume = this.context.createGain();
      voice.type = tone === "stop" ? "sawtooth" : "sine";
      voice.frequency.value = hertz;
      volume.gain.setValueAtTime(0.0001, start + begins);
      volume.gain.exponentialRampToValueAtTime(0.4, start + begins + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + begins + lasts);
      voice.connect(volume).connect(this.context.destination);
      voice.start(start + begins);
      voice.stop(start + begins + lasts + 0.02);
    }
  }
}

/** Keeps the screen on while the scanner is in sight; the system drops the lock whenever it is not. */
export class Awake {
  constructor() {
    this.wanted = false;
    this.lock = null;
  }

  async hold() {
    this.wanted = true;
    if (document.hidden || this.lock) return;
    try {
      this.lock = await navigator.wakeLock?.request("screen");
      this.lock?.addEventListener("release", () => {
        this.lock = null;
      });
    } catch {
      this.lock = null;
    }
  }

  again() {
    if (this.wanted) this.hold();
  }
}

const PREFIX = "huiwu.scanner.";

/** Small things that this device should still know tomorrow; storage may be missing or full. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // it will be asked again
  }
}

/** Scans that wait live as long as this tab: they must outlive a sign-in, and nothing more. */
export function recallWaiting(name) {
  try {
    const found = JSON.parse(sessionStorage.getItem(PREFIX + name));
    return found && Array.isArray(found.items) ? found : { items: [], at: 0 };
  } catch {
    return { items: [], at: 0 };
  }
}

export function keepWaiting(name, items) {
  try {
    if (items.length) sessionStorage.setItem(PREFIX + name, JSON.stringify({ items, at: Date.now() }));
    else sessionStorage.removeItem(PREFIX + name);
  } catch {
    // kept in memory alone
  }
}

/** Copies text, also where the clipboard interface is missing (insecure origins, in-app browsers). */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.readOnly = true;
    field.className = "vh";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
