// The three-line proof as a picture: in input space features slide along the training span, in
// feature space the head turns to meet them, and errors end where they must.
// controls.js, canvas.js, player.js and proof_model.js come before this.

const PLAY = 6000; // ms from the first step to the last
const HIGHEST = 1.5; // larger errors leave the picture; always answering 0 costs 1
const NAMES = ["1  Features slide along the span", "2  The head turns to meet them",
  "3  OOD inputs meet old features", "4  Better features, more to lose"];

function mount(el, content) {
  el.classList.add("labkit-scene", "labkit-proof");
  const first = { error: 0, scale: 0.3, rate: 0, seed: 0, method: "fine-tuning", t: Infinity };
  const state = { ...first };
  let [run, sweep, ratio, layout, pending, telling] = [null, null, 1, null, false, null];

  // ------------------------------------------------------------- controls
  const bar = element("div", "labkit-scene-bar", el);
  const last = () => run.at.length - 1;
  const play = player(el, bar, state, { label: "Gradient step", milliseconds: PLAY, last,
    follow: () => show(), redraw: () => redraw() });
  const method = element("div", "labkit-takes", bar);
  method.setAttribute("role", "radiogroup");
  method.setAttribute("aria-label", "Drawn in pictures 1 and 2");
  const group = `labkit-${Math.random()}`;
  for (const [name, look] of Object.entries(content.methods)) {
    const label = element("label", "", method);
    const radio = element("input", "", label);
    Object.assign(radio, { type: "radio", name: group, value: name });
    radio.addEventListener("change", () => set({ method: name }));
    element("span", "", label).textContent = look.name;
  }
  const fields = element("div", "labkit-view labkit-sliders", el);
  const sliders = {
    error: slider(fields, "Feature error ε", 0, content.farthest, 0.05),
    scale: slider(fields, "Length of the first head", 0, 1.5, 0.05),
    rate: slider(fields, "Head's rate over the features'", -1, 2, 0.25),
  };
  for (const [name, input] of Object.entries(sliders))
    input.addEventListener("input", () => set({ [name]: Number(input.value) }, true));
  const again = element("div", "labkit-scene-bar", fields);
  button(again, "labkit-again", "⟳ Another instance", () =>
    set({ seed: (state.seed + 1) % content.instances.length }, true));
  button(again, "labkit-reset", "Reset", () => {
    play.stop();
    set({ ...first }, true);
  });
  const canvas = element("canvas", "labkit-canvas", el);
  canvas.setAttribute("role", "img");
  const [caption, live] = spokenCaption(el);

  // ------------------------------------------------------------- state
  const setting = () => ({ error: state.error, scale: state.scale, headRate: 10 ** state.rate,
    steps: content.steps });
  const set = (changes, trained = false) => {
    Object.assign(state, changes);
    if (trained || !run) {
      run = train(content.instances[state.seed], setting());
      if (!("error" in changes) || Object.keys(changes).length > 1) sweep = null;
    }
    show();
  };
  const show = () => {
    state.t = Math.max(0, Math.min(state.t, last()));
    play.tell(`step ${run.at[Math.round(state.t)]} of ${content.steps}`);
    for (const [name, input] of Object.entries(sliders)) {
      input.value = state[name];
      const text = name === "rate" ? `${Number((10 ** state.rate).toPrecision(2))} x` :
        state[name].toFixed(2);
      input.nextSibling.textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
    for (const radio of method.querySelectorAll("input"))
      radio.checked = radio.value === state.method;
    if (!play.playing) say();
    redraw();
  };
  const say = () => {
    const text = wordsOf(run, state);
    caption.textContent = text;
    canvas.setAttribute("aria-label", text);
    clearTimeout(telling);
    telling = setTimeout(() => (live.textContent = text), QUIET);
  };

  // ------------------------------------------------------------- drawing, playing
  const draw = (now) => {
    pending = false;
    if (!el.clientWidth) return;
    play.advance(now);
    if (!layout) {
      layout = proofLayout(widthIn(el));
      ratio = fitCanvas(canvas, layout.width, layout.height, zoomOf(el) || 1);
    }
    sweep ??= overErrors(content.instances[state.seed], setting(), content.farthest);
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, layout.width, layout.height);
    drawProof(c, { run, sweep, state, layout, methods: content.methods, colors: themed(el),
      farthest: content.farthest, steps: content.steps });
    const { seed, error, scale, rate } = state;
    canvas.dataset.shown = [state.method, state.t.toFixed(2), seed, error, scale, rate].join(" ");
    if (play.playing) redraw();
  };
  const redraw = () => {
    if (!pending) requestAnimationFrame(draw);
    pending = true;
  };
  // The fourth picture is a slider too: where it is dragged is the feature error.
  const drag = (event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = box.width / layout.width;
    const [x, y] = [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
    const { x: left, y: top, w, h } = layout.plots[3];
    const inside = x > left - 8 && x < left + w + 8 && y > top && y < top + h;
    canvas.style.cursor = inside ? "ew-resize" : "default";
    if (!inside || !event.buttons) return;
    const share = Math.max(0, Math.min(1, (x - left) / w));
    set({ error: Math.round(20 * share * content.farthest) / 20 }, true);
  };
  canvas.addEventListener("pointerdown", drag);
  canvas.addEventListener("pointermove", drag);
  const leave = watchAround(el, () => {
    layout = null;
    redraw();
  });
  set({}, true);
  clearTimeout(telling); // opening a page is not told aloud
  return { destroy() {
    play.stop();
    clearTimeout(telling);
    leave();
  } };
}

function slider(parent, label, min, max, step) {
  const around = element("label", "labkit-field", parent);
  const [text, row] = [element("span", "", around), element("span", "labkit-row", around)];
  text.textContent = label;
  const input = element("input", "", row);
  Object.assign(input, { type: "range", min, max, step });
  input.setAttribute("aria-label", label);
  element("span", "", row);
  return input;
}

const two = (x) => x.toFixed(2);

function wordsOf({ runs, bound, at }, { t, error, scale }) {
  const now = (name) => runs[name][Math.min(Math.round(t), runs[name].length - 1)];
  const ft = now("fine-tuning");
  const floor = bound > 0.005 ? ` (never below ${two(bound)})` : "";
  return `Feature error ${two(error)}, first head ${two(scale)} long, step ${at[Math.round(t)]}. ` +
    `Fine-tuning has moved the features by ${two(ft.moved)} inside the training span and by 0.00 ` +
    `outside. Error ID: FT ${two(ft.id)}, LP ${two(now("probe").id)}, LP-FT ` +
    `${two(now("lp-ft").id)}. OOD: FT ${two(ft.ood)}${floor}, LP ${two(now("probe").ood)}, ` +
    `LP-FT ${two(now("lp-ft").ood)}.`;
}
