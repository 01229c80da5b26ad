// The panels of a page without a kernel: native controls, and for each state its recorded picture.

const QUIET = 600; // ms without change before a screen reader is told: a drag is not narrated

for (const box of document.querySelectorAll("pre, table")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // arrow keys scroll it
}
for (const panel of document.querySelectorAll(".recorded")) {
  const data = panel.querySelector("script");
  if (data) play(panel, JSON.parse(data.textContent));
}

function play(panel, { controls, frames, states }) {
  const rest = controls.map((control) => control.rest);
  const at = [...rest];
  const [picture, image] = ["picture", "img"].map((tag) => panel.querySelector(tag));
  const sources = [...picture.querySelectorAll("source")];
  const [refused, said] = [".refused", ".said"].map((name) => panel.querySelector(name));
  const caption = panel.querySelector(".labkit-caption");
  const inputs = controls.map((control, i) => {
    const label = add("label", panel.querySelector(".labkit-controls"));
    label.className = control.kind === "checkbox" ? "labkit-field tick" : "labkit-field";
    const name = add("span", label, control.label);
    const input = add(control.kind === "select" ? "select" : "input", label);
    if (control.kind === "select") {
      control.options.forEach((option, place) => input.add(new Option(option, place)));
    } else {
      input.type = control.kind;
      input.max = control.options.length - 1;
    }
    input.setAttribute("aria-label", control.label);
    const value = control.kind === "range" ? add("b", name) : null;
    value?.setAttribute("aria-hidden", "true"); // the slider says it
    input.addEventListener("input", () => {
      moved(i, control.kind === "checkbox" ? Number(input.checked) : Number(input.value));
    });
    for (const near of ["focus", "pointerenter"]) input.addEventListener(near, () => load(i), { once: true });
    return { input, value };
  });

  // Where the whole state was not recorded, ticks stay and everything else goes back to rest.
  function moved(which, place) {
    at[which] = place;
    const keep = (test) => at.map((old, i) => (i === which || test(controls[i]) ? old : rest[i]));
    const tried = [at, keep((control) => control.kind === "checkbox"), keep(() => false)];
    at.splice(0, at.length, ...tried.find((state) => state.join() in states));
    show();
  }

  function load(which) { // a control's pictures, before the first of them is asked for
    controls[which].options.forEach((_, place) => {
      const frame = frames[states[at.with(which, place).join()]];
      if (frame?.wide) new Image().src = named(frame);
    });
  }

  const named = (frame) => (sources.some(({ media }) => matchMedia(media).matches) ? frame.narrow : frame.wide)[0];

  let timer;
  function show() {
    inputs.forEach(({ input, value }, i) => {
      if (controls[i].kind === "checkbox") input.checked = at[i] === 1;
      else input.value = at[i];
      const text = controls[i].options[at[i]];
      if (value) value.textContent = text;
      if (value) input.setAttribute("aria-valuetext", text);
    });
    const frame = frames[states[at.join()]];
    picture.hidden = !frame.wide;
    refused.hidden = Boolean(frame.wide);
    refused.textContent = frame.wide ? "" : frame.alt;
    if (frame.wide) {
      [image.src, image.alt] = [frame.wide[0], frame.alt];
      for (const source of sources) source.srcset = frame.narrow[0]; // a phone's
    }
    caption.textContent = frame.wide ? frame.alt.split(/(?<=[.!?]) /)[0] : ""; // as style.caption
    panel.dataset.state = at.join();
    clearTimeout(timer);
    timer = setTimeout(() => { said.textContent = frame.alt; }, QUIET);
  }

  const reset = add("button", panel.querySelector(".labkit-toolbar"), "Reset");
  reset.type = "button";
  reset.addEventListener("click", () => { at.splice(0, at.length, ...rest); show(); });
  show();
  clearTimeout(timer); // opening a page reads no panel aloud
}

function add(tag, parent, text = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  parent.append(node);
  return node;
}
