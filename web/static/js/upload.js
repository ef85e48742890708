// Says at once that a file is too large, before it travels; the server says it too.

for (const form of document.querySelectorAll("form[data-upload-limit]")) {
  const input = form.querySelector('input[type="file"]');
  const limit = Number(form.dataset.uploadLimit) * 1024 * 1024;
  const check = () => {
    const file = input.files[0];
    input.setCustomValidity(file && file.size > limit ? form.dataset.tooLarge : "");
  };
  input.addEventListener("change", () => {
    check();
    input.reportValidity();
  });
  form.addEventListener("submit", check);
}
