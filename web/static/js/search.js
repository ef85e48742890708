// A search that answers as you type: the same GET form, its list put in place without loading the whole page.

const WAIT_MS = 250;

for (const box of document.querySelectorAll("[data-search]")) {
  const form = box.querySelector("form");
  const input = form.querySelector('input[type="search"]');
  let timer = 0;
  let asked = 0;

  const answer = async () => {
    const address = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value) address.searchParams.set(name, value);
    const turn = ++asked;
    const response = await fetch(address, { headers: { accept: "text/html" } });
    // A slower answer to an earlier question must not take the place of this one.
    if (!response.ok || turn !== asked) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.querySelector(box.dataset.search);
    if (!found) return;
    document.querySelector(box.dataset.search).replaceWith(found);
    history.replaceState(null, "", address);
  };

  input.addEventListener("input", (event) => {
    // Half-typed pinyin is nothing to search for.
    if (event.isComposing) return;
    clearTimeout(timer);
    timer = setTimeout(() => answer().catch(() => {}), WAIT_MS);
  });
  input.addEventListener("compositionend", () => {
    clearTimeout(timer);
    timer = setTimeout(() => answer().catch(() => {}), WAIT_MS);
  });
}
