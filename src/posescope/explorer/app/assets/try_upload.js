/* Sentences for files that dcc.Upload of the tab "Try it" refuses without a word: too large, of another format, or several.
   The limits are those of its component; the command checks every file again. */
(function () {
  "use strict";

  function refusal(files, entry) {
    const limit = Number(entry.dataset.maxBytes), formats = entry.dataset.formats.split(",");
    if (files.length > 1) return `Photograph: expected one file, found ${files.length}. Choose one.`;
    const { name, size, type } = files[0];
    if (size > limit) return `Photograph: expected at most ${limit / 1e6} MB, found ${(size / 1e6).toFixed(1)} MB in ${name}. Choose a smaller one.`;
    if (!formats.includes(type)) return `Photograph: expected JPEG, PNG or WebP, found ${type || "an unknown format"} in ${name}. Choose another file.`;
    return "";
  }

  function check(event) {
    const entry = event.target.closest && event.target.closest(".try-entry");
    const files = event.type === "drop" ? event.dataTransfer.files : event.target.files;
    if (!entry || !files || !files.length) return;
    const text = refusal(files, entry);
    window.dash_clientside.set_props("notice", { children: text, hidden: !text });
  }

  document.addEventListener("drop", check, true);
  document.addEventListener("change", check, true);
})();
