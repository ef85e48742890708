// A proposal's form: shows the questions of the chosen kind and forum at once, and says how much room is left in a text.
// Without this module the form works the same; questions that were not asked yet are asked after the first save.

const form = document.querySelector("form[data-proposal]");

const fits = (wanted, chosen) => !wanted || wanted.split(" ").includes(chosen);

function follow() {
  const type = form.querySelector('input[name="session_type"]:checked')?.value ?? "";
  const forum = form.querySelector('select[name="forum"]')?.value ?? "";
  for (const part of form.querySelectorAll("fieldset[data-types]")) {
    const asked = fits(part.dataset.types, type) && fits(part.dataset.forums, forum);
    part.hidden = !asked;
    part.disabled = !asked;
  }
}

/** How many characters are left, shown only once there are few: a number that counts all the time is noise. */
function count(area) {
  const most = Number(area.getAttribute("maxlength"));
  let left = area.parentElement.querySelector(".field__left");
  if (!left) {
    left = document.createElement("p");
    left.className = "field__left small soft num";
    left.setAttribute("aria-live", "polite");
    area.after(left);
  }
  left.textContent = area.value.length > most * 0.8 ? `${area.value.length} / ${most}` : "";
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "session_type" || event.target.name === "forum") follow();
  });
  form.addEventListener("input", (event) => {
    if (event.target.matches("textarea[maxlength]")) count(event.target);
  });
  // A page that comes back from the browser's history has its choice restored after this module has run.
  addEventListener("pageshow", follow);
  follow();
}
