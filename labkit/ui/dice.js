// A button for what a seed decides: nobody wants the number, everybody another draw.

function render({ model, el }) {
  el.classList.add("labkit-dice");
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => {
    model.set("value", (model.get("value") + 1) % (model.get("max") + 1));
    model.save_changes();
  });
  const show = () => {
    button.textContent = `\u27f3 ${model.get("description")}`;
    button.dataset.value = model.get("value"); // tests read it
  };
  model.on("change", show);
  show();
  el.append(button);
  return () => model.off("change", show);
}

export default { render };
