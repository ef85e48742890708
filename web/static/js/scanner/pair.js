/** The pairing page: the phone is tried, and the code is spent by one POST that somebody asked for. */
import { Camera } from "./camera.js";
import * as checks from "./checks.js";
import { Report, elsewhere } from "./checks_page.js";
import * as database from "./database.js";
import * as store from "./pairing_store.js";

const data = JSON.parse(document.getElementById("pair-data").textContent);
const { words } = data;
const $ = (id) => document.getElementById(id);
const PATIENCE_MS = 15000;

const env = checks.environment();
const report = new Report(words);
let found = null; // what the checks said
let key = checks.readPairingCode(location.hash);
let isBusy = false;

// --- the code ----------------------------------------------------------------------------------------------------

/** The code from the address or the camera; typing makes way for it. */
function take(next) {
  key = next;
  $("typed").hidden = Boolean(key);
  $("camera").hidden = true;
  refresh();
}

function typedKey() {
  return key ?? checks.readPairingCode($("code").value, location.pathname);
}

const camera = new Camera({
  video: $("video"),
  onCode: (text) => {
    const read = checks.readPairingCode(text, location.pathname);
    if (!read) {
      say(words.other_code);
      return;
    }
    say("");
    camera.stop();
    take(read);
  },
  onLost: () => stopCamera(),
});

function stopCamera() {
  camera.stop();
  $("camera").hidden = true;
  refresh();
}

$("scan-button").addEventListener("click", async () => {
  say("");
  $("camera").hidden = false;
  $("scan-button").hidden = true;
  try {
    await camera.start();
    report.set("camera", "passed");
    found.camera = true;
    wasAsked = true;
  } catch {
    cameraFailed();
    stopCamera();
  }
});

// --- how it stands -----------------------------------------------------------------------------------------------

let wasAsked = false; // the camera's permission, on a tap

function cameraFailed() {
  wasAsked = true;
  found.camera = false;
  report.set("camera", "failed");
  refresh();
}

function say(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

function refresh() {
  if (!found) return;
  const lacks = Object.values(found).some((passed) => !passed);
  elsewhere({ isNeeded: lacks, short: key?.short ?? "", words });
  $("scan-button").hidden = Boolean(key) || !found.camera || !$("camera").hidden;
  // Without memory nothing can be kept, so nothing is spent; what else is missing a person may decide to do without.
  $("pair-button").disabled = isBusy || !found.storage;
  $("pair-button").hidden = lacks;
  $("anyway").hidden = !lacks || !found.storage || isBusy;
  $("pair-words").textContent = isBusy ? words.pairing : wasAsked || !found.camera ? words.pair_now : words.pair;
}

// --- pairing -----------------------------------------------------------------------------------------------------

async function pair({ isAnyway = false } = {}) {
  if (isBusy) return;
  const sent = typedKey();
  if (!sent) {
    say(words.not_a_code);
    $("code").focus();
    return;
  }
  say("");
  camera.stop();
  if (!isAnyway && !wasAsked) {
    const why = await checks.tryCamera(env.mediaDevices);
    if (why) {
      cameraFailed();
      return;
    }
    wasAsked = true;
    report.set("camera", "passed");
  }
  isBusy = true;
  refresh();
  try {
    await spend(sent);
  } finally {
    isBusy = false;
    refresh();
  }
}

async function spend(sent) {
  const instance = await store.instance();
  // Paired anew it stays the device that it was, so that what still waits on it is its own.
  const before = await store.load(data.slug).catch(() => null);
  let response;
  let body;
  try {
    response = await fetch(data.api.pair, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", "accept-language": data.locale },
      body: JSON.stringify({
        code: sent.code,
        instance,
        app_version: data.build,
        platform: checks.features(),
        checks: found,
        ...(before ? { replaces: before.token } : {}),
      }),
      signal: AbortSignal.timeout?.(PATIENCE_MS),
    });
    body = await response.json();
  } catch {
    // Sent again it is the same pairing: the server knows this browser by its instance.
    say(words.no_answer);
    return;
  }
  if (!response.ok || !body.token) {
    say(body.title ?? words.no_answer);
    if (response.status === 404 || response.status === 410) take(null);
    return;
  }
  try {
    await store.save({ token: body.token, slug: data.slug, device: body.device, instance });
  } catch {
    say(words.not_kept);
    return;
  }
  // The code is spent; it should stand in no history and on no shared screen.
  history.replaceState(null, "", location.pathname);
  location.assign(data.scanner);
}

// --- wiring ------------------------------------------------------------------------------------------------------

$("pair-form").addEventListener("submit", (event) => {
  event.preventDefault();
  pair();
});
$("anyway").addEventListener("click", () => pair({ isAnyway: true }));
globalThis.addEventListener("hashchange", () => take(checks.readPairingCode(location.hash)));

$("pair").hidden = false;
take(key);
found = await checks.run(env, database);
for (const [name, passed] of Object.entries(found)) report.set(name, passed ? "passed" : "failed");
// That there is a camera is not yet that it may be used.
if (found.camera) report.set("camera", "asked");
refresh();
const already = found.storage ? await store.load(data.slug).catch(() => null) : null;
if (already) {
  $("already").hidden = false;
  $("already-words").textContent = words.paired_as.replace("%(name)s", already.device.name);
}
document.documentElement.dataset.pair = "ready";
