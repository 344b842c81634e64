/* What Dash's controls lack for the keyboard and for screen readers:
   names of sliders and their numbers (the group that they are in), labels of choices, arrow keys between tabs, and the enter
   key in the number of a slider, which Dash takes when the focus leaves it.
   Dash draws controls again, so names are set after every change of the page. */
(function () {
  "use strict";

  function set(element, name, value) {
    if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  function nameSlider(slider) {
    const group = slider.closest('[role="group"], fieldset'), legend = group && group.querySelector("legend");
    const name = group && (group.getAttribute("aria-label") || (legend && legend.textContent));
    const isRange = slider.querySelectorAll('[role="slider"]').length > 1;
    slider.querySelectorAll('[role="slider"]').forEach((thumb, place) => set(thumb, "aria-label", isRange ? `${name}, ${place ? "highest" : "lowest"}` : name));
    slider.querySelectorAll("input").forEach((input) => {
      const end = input.classList.contains("dash-range-slider-min-input") ? "lowest" : "highest";
      set(input, "aria-label", isRange ? `${name}, ${end}` : name);
    });
  }

  function nameChoice(label) {
    const choice = document.getElementById(label.htmlFor);
    if (!choice || !choice.classList.contains("dash-dropdown")) return;
    label.id = label.id || `${choice.id}-label`;
    set(choice, "aria-labelledby", `${label.id} ${choice.id}`); // "Colour Error"
  }

  let planned = false;
  function plan() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(function () {
      planned = false;
      document.querySelectorAll(".dash-slider-container").forEach(nameSlider);
      document.querySelectorAll("label[for]").forEach(nameChoice);
    });
  }

  document.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && event.target.matches && event.target.matches(".dash-range-slider-input")) {
      event.target.blur();
      event.target.focus();
    }
    const tab = event.target.closest && event.target.closest('[role="tab"]');
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!tab || !step) return;
    const tabs = Array.from(tab.parentElement.querySelectorAll('[role="tab"]'));
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    event.preventDefault();
    next.focus();
    next.click();
  });
  new MutationObserver(plan).observe(document, { childList: true, subtree: true, attributeFilter: ["aria-labelledby", "aria-label"] });
})();
