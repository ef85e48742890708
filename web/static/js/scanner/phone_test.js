/** The phone test: everything that scanning needs, tried the day before and told to the lead. */
import * as checks from "./checks.js";
import { Report, elsewhere } from "./checks_page.js";
import * as database from "./database.js";
import { open } from "./decoder.js";
import * as store from "./pairing_store.js";
import { newId } from "./queue.js";

const data = JSON.parse(document.getElementById("test-data").textContent);
const { words } = data;
const $ = (id) => document.getElementById(id);
const PATIENCE_MS = 15000;

const env = checks.environment();
const report = new Report(words);
/** Without memory the phone is another one at each visit; the lead sees why. */
let instance = newId();

async function send(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", "accept-language": data.locale },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout?.(PATIENCE_MS),
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.title ?? String(response.status));
  return said;
}

/** Reads the sample picture with whatever would read the camera's. */
async function decodes() {
  try {
    const image = $("sample");
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    // Decoders ask a video for its size by these names.
    Object.assign(canvas, { videoWidth: canvas.width, videoHeight: canvas.height });
    const decoder = await open();
    const text = await decoder.decode(canvas);
    decoder.close();
    return text ?? "";
  } catch {
    return "";
  }
}

/** A scan there and back: milliseconds, or null. */
async function roundTrip(code) {
  const began = performance.now();
  try {
    const said = await send(data.api.scan, { scan_id: newId(), code });
    return said.is_sample ? Math.round(performance.now() - began) : null;
  } catch {
    return null;
  }
}

function say(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

async function test() {
  const name = $("name").value.trim();
  say("trouble", "");
  say("result", "");
  if (!name && !data.is_named) {
    say("trouble", words.name_needed);
    $("name").focus();
    return;
  }
  $("test-button").disabled = true;
  $("test-words").textContent = words.testing;
  const found = await checks.run(env, database);
  if (found.camera) found.camera = (await checks.tryCamera(env.mediaDevices)) === "";
  const text = await decodes();
  found.decoder = text === data.sample;
  const took = await roundTrip(text || data.sample);
  found.round_trip = took !== null;
  for (const [check, passed] of Object.entries(found)) report.set(check, passed ? "passed" : "failed");
  const lacks = Object.values(found).some((passed) => !passed);
  elsewhere({ isNeeded: lacks, short: "", words });
  if (found.storage) instance = await store.instance().catch(() => instance);
  try {
    await send(data.api.tell, { instance, name, checks: found, platform: checks.features(), round_trip_ms: took });
    say("result", lacks ? words.some_lack : words.all_good);
  } catch {
    say("trouble", words.not_told);
  }
  $("test-button").disabled = false;
  $("test-words").textContent = words.again;
  document.documentElement.dataset.test = "done";
}

$("test").addEventListener("submit", (event) => {
  event.preventDefault();
  test();
});
$("test").hidden = false;
document.documentElement.dataset.test = "ready";
