// Shows the questions of the chosen ticket type at once. Without this module the form comes back once with them.

const form = document.querySelector("form[data-register]");

function follow() {
  const chosen = form.querySelector('input[name="ticket_type"]:checked')?.value ?? "";
  for (const part of form.querySelectorAll("fieldset[data-types]")) {
    const asked = part.dataset.types.split(" ").includes(chosen);
    part.hidden = !asked;
    part.disabled = !asked;
  }
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "ticket_type") follow();
  });
  // A page that comes back from the browser's history has its choice restored after this module has run.
  addEventListener("pageshow", follow);
  follow();
}
