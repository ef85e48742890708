// A page about long work: asks for its progress each second, and shows the whole page anew when it has ended.
// Without this module there is a link that loads the page again.

const box = document.querySelector("[data-progress]");
const EVERY_MS = 1000;
const AT_MOST_MS = 10000;

/** One look; true when the page must be shown anew. */
async function look() {
  const response = await fetch(box.dataset.progress, { headers: { accept: "application/json" }, cache: "no-store" });
  // Signed out, or no longer ours to see: the page itself says so best.
  if ([401, 403, 404].includes(response.status)) return true;
  if (!response.ok) throw new Error(String(response.status));
  const { state, done, total, failed } = await response.json();
  if (state !== "applying" || failed) return true;
  const bar = box.querySelector("progress");
  const words = box.querySelector(".num");
  if (total) {
    bar.max = total;
    bar.value = done;
    words.textContent = box.dataset.words.replace("{done}", done).replace("{total}", total);
  } else {
    bar.removeAttribute("value");
    words.textContent = box.dataset.reading;
  }
  return false;
}

async function watch() {
  let pause = EVERY_MS;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      if (await look()) break;
      pause = EVERY_MS;
    } catch {
      // The network is gone, or the server restarts: ask less often until it is back.
      pause = Math.min(pause * 2, AT_MOST_MS);
    }
  }
  location.reload();
}

if (box) watch();

// A form that must be sent once: the server takes the second press for the first, this only shows that it knows.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
}
