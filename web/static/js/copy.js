// Buttons that copy a field of the page: shown only where scripts run; without them the field can be selected.

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const words = button.querySelector("span");
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // An insecure origin has no clipboard; the old way works there.
      if (!document.execCommand("copy")) return;
    }
    words.textContent = button.dataset.done;
  });
}
