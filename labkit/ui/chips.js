// Buttons that stay pressed, each with its picture: a menu from which one takes several.
// controls.js comes before this.

function render({ model, el }) {
  el.classList.add("labkit-chips");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("description"));
  element("span", "", el).textContent = model.get("description");
  const options = model.get("options");
  const chips = options.map((option, i) => {
    const chip = button(el, "", option, () => {
      const chosen = new Set(model.get("value"));
      if (!chosen.delete(option)) chosen.add(option);
      model.set("value", options.filter((one) => chosen.has(one)));
      model.save_changes();
    });
    const image = new Image();
    [image.src, image.alt] = [model.get("pictures")[i], ""]; // the word is beside it
    if (model.get("pictures").length) chip.prepend(image);
    return chip;
  });
  const show = () => chips.forEach((chip, i) => {
    chip.setAttribute("aria-pressed", model.get("value").includes(options[i]));
  });
  model.on("change:value", show);
  show();
  return () => model.off("change:value", show);
}

export default { render };
