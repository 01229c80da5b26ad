// The feature-distortion explorer: six pictures, one scrubber. It plays what was recorded and needs
// no kernel; where there is one (`ask`), it can ask for another training and draws it as it comes.
// controls.js, canvas.js, player.js, scene_data.js, scene_layout.js and scene_draw.js come before this.

const PLAY = 7000; // ms from the first frame to the last
const TITLE = "Watch fine-tuning move features";
const YOURS = "yours"; // the take that the reader has trained

// el: where to draw; packed: a scene as scene.py packs it; ask: how the kernel hears, if there is one.
function mount(el, packed, ask = null) {
  el.classList.add("labkit-scene");
  const state = { take: Object.keys(packed.takes)[0], t: 0, follow: -1, wise: false, story: -1 };
  let [scene, shown, pending, mouse, telling] = [null, null, false, null, null];
  const sheets = new Map();

  // ------------------------------------------------------------- what the reader can do
  const bar = element("div", "labkit-scene-bar", el);
  const take = () => scene.takes[state.take];
  const last = () => (scene ? take().steps.length - 1 : 0);
  const play = player(el, bar, state, { label: "Training step", milliseconds: PLAY, last,
    follow: () => show(), redraw: () => redraw() });
  const group = `labkit-${Math.random()}`; // of these radio buttons, and of no other picture's
  const takes = element("div", "labkit-takes", bar);
  takes.setAttribute("role", "radiogroup");
  takes.setAttribute("aria-label", "Fine-tuning");
  const tell = button(bar, "labkit-tell", "Tell the story", () => goTo(state.story < 0 ? 0 : -1));
  const story = element("div", "labkit-story", el);
  story.hidden = true;
  const canvas = element("canvas", "labkit-canvas", el);
  canvas.setAttribute("role", "img");
  const [caption, live] = spokenCaption(el);
  const more = element("details", "labkit-more", el);
  element("summary", "", more).textContent = "More";
  const fields = element("div", "labkit-view", more);
  const field = (label, tag) => {
    const around = element("label", "labkit-field", fields);
    element("span", "", around).textContent = label;
    return element(tag, "", around);
  };
  const wise = field("Show WiSE-FT, half the weights of LP and of FT", "input");
  wise.type = "checkbox";
  const follow = field("Follow an emoji", "select");
  const trainer = ask && packed.kernel ? trainingControls(more, packed.kernel, ask) : null;
  const alert = element("div", "labkit-error", el);
  alert.setAttribute("role", "alert");
  alert.hidden = true;

  // ------------------------------------------------------------- state, and its picture
  const methods = () => ["probe", "fine-tuning", "lp-ft", ...(state.wise ? ["wise-ft"] : [])];
  const words = () => wordsOf(scene, take(), methods(), state.t, state.follow);

  const measure = () => {
    const zoom = zoomOf(el) || 1;
    const width = widthIn(el);
    const room = width < 560 ? 1200 :
      Math.max(300, window.innerHeight / zoom - 250 - story.offsetHeight);
    const layout = layoutOf(width, room, methods());
    const ratio = fitCanvas(canvas, width, layout.height, zoom);
    sheets.clear();
    const colors = themed(el);
    const badgesOf = (style) => {
      if (!sheets.has(style)) sheets.set(style, badges(style, layout.size, ratio, colors));
      return sheets.get(style);
    };
    const pixels = [canvas.width, canvas.height];
    shown = { scene, layout, ratio, pixels, colors, badgesOf, places: {} };
  };

  const draw = (now) => {
    pending = false;
    if (!scene || !el.clientWidth) return;
    play.advance(now);
    if (!shown) measure();
    if (shown.take !== take() || shown.follow !== state.follow || shown.story !== state.story) {
      const tracks = Object.values(take().tracks);
      Object.assign(shown, { take: take(), follow: state.follow, story: state.story, still: null,
        focus: state.story < 0 ? null : STORY[state.story].focus, mostMoved: mostMoved(scene),
        farthest: Math.max(...tracks.map((x) => x.farthest)) });
    }
    shown.t = state.t;
    const c = canvas.getContext("2d");
    drawScene(c, shown, methods());
    const hit = mouse && markAt(shown, methods(), ...mouse);
    canvas.style.cursor = hit ? "pointer" : "default";
    if (hit) drawTip(c, shown, hit);
    canvas.dataset.shown = `${state.take} ${state.t.toFixed(2)}`; // tests wait for it
    if (play.playing) redraw();
  };
  const redraw = () => {
    if (!pending) requestAnimationFrame(draw);
    pending = true;
  };
  const resize = () => {
    shown = null;
    redraw();
  };

  // The controls and the words follow the state; the words only from frame to frame.
  const show = () => {
    if (!scene) return;
    const number = take().steps[Math.min(Math.round(state.t), last())];
    const next = play.tell(`step ${number} of ${take().steps[last()]}`);
    if (!play.playing) say();
    else if (next) caption.textContent = words();
    redraw();
  };
  const say = () => {
    const text = words();
    caption.textContent = text;
    canvas.setAttribute("aria-label", text);
    clearTimeout(telling);
    telling = setTimeout(() => {
      if (live.textContent !== text) live.textContent = text;
    }, QUIET);
  };
  const set = (changes) => {
    const relaid = "wise" in changes && changes.wise !== state.wise;
    Object.assign(state, changes);
    state.t = Math.max(0, Math.min(state.t, last()));
    if (relaid) shown = null;
    wise.checked = state.wise;
    follow.value = String(state.follow);
    for (const radio of takes.querySelectorAll("input")) radio.checked = radio.value === state.take;
    show();
  };

  // ------------------------------------------------------------- following, pointing
  const pointAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = box.width / (shown?.layout.width ?? box.width);
    return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
  };
  canvas.addEventListener("pointermove", (event) => {
    mouse = pointAt(event);
    redraw();
  });
  canvas.addEventListener("pointerleave", () => {
    mouse = null;
    redraw();
  });
  canvas.addEventListener("click", (event) => {
    const hit = shown && markAt(shown, methods(), ...pointAt(event));
    const concept = hit ? styleOf(scene, take(), hit[1]).concepts[hit[2]] : -1;
    set({ follow: concept === state.follow ? -1 : concept });
  });
  wise.addEventListener("change", () => set({ wise: wise.checked }));
  follow.addEventListener("change", () => set({ follow: Number(follow.value) }));

  // ------------------------------------------------------------- the story, in four steps
  const goTo = (chapter) => {
    state.story = chapter < STORY.length ? chapter : -1;
    story.hidden = state.story < 0;
    tell.textContent = story.hidden ? "Tell the story" : "Leave the story";
    story.replaceChildren();
    play.goTo(state.t);
    if (story.hidden) return resize();
    const { title, text, from, to } = STORY[state.story];
    element("strong", "", story).textContent = `${state.story + 1} of ${STORY.length}: ${title} `;
    element("span", "", story).textContent = text(scene, take());
    const buttons = element("div", "labkit-story-buttons", story);
    if (state.story) button(buttons, "", "Back", () => goTo(state.story - 1));
    const end = state.story === STORY.length - 1;
    const next = button(buttons, "labkit-play", end ? "Done" : "Next", () => goTo(state.story + 1));
    next.focus({ preventScroll: true });
    live.textContent = story.querySelector("span").textContent;
    set({ t: from * last() });
    resize();
    if (to > from) play.start(to * last());
  };

  // ------------------------------------------------------------- the scene, and what comes later
  const fillMenus = () => {
    takes.replaceChildren();
    for (const name of Object.keys(scene.takes)) {
      const label = element("label", "", takes);
      const radio = element("input", "", label);
      Object.assign(radio, { type: "radio", name: group, value: name });
      radio.addEventListener("change", () => {
        set({ take: name, t: play.playing ? 0 : state.t });
        fillFollow();
        if (state.story >= 0) goTo(state.story);
      });
      element("span", "", label).textContent = labelOf(name, scene.takes[name]);
    }
    fillFollow();
  };
  const fillFollow = () => {
    const found = new Map();
    for (const side of SIDES) {
      const style = styleOf(scene, take(), side);
      style.concepts.forEach((concept, i) => found.set(concept, style.names[i]));
    }
    const known = [...found].sort((a, b) => a[1].localeCompare(b[1]));
    follow.replaceChildren(...[[-1, "none"], ...known].map(([key, name]) => new Option(name, key)));
    if (!found.has(state.follow)) state.follow = -1;
    follow.value = String(state.follow);
  };

  const api = {
    // A take that is being trained, or has been: the picture goes on with it.
    async add({ take: packedTake, styles }, done) {
      if (!packedTake) return;
      const known = scene?.styles ?? {};
      const decoded = await unpackStyles({ ...packed.styles, ...styles }, known);
      const first = !scene.takes[YOURS] || state.take !== YOURS;
      scene.styles = decoded;
      scene.takes[YOURS] = unpackTake(packedTake);
      if (first) {
        state.take = YOURS;
        fillMenus();
      }
      const recorded = Object.values(scene.takes[YOURS].tracks).map((x) => x.frames);
      set(done ? {} : { t: Math.max(...recorded) - 1 });
    },
    progress(share, error) {
      trainer?.progress(share);
      alert.hidden = !error;
      alert.textContent = error;
    },
    destroy() {
      play.stop();
      clearTimeout(telling);
      leave();
      scene = null;
    },
    ready: unpackStyles(packed.styles).then((styles) => {
      const unpacked = Object.entries(packed.takes).map(([name, x]) => [name, unpackTake(x)]);
      scene = { ...packed, styles, takes: Object.fromEntries(unpacked) };
      fillMenus();
      set({});
      clearTimeout(telling); // opening a page is not told aloud
    }),
  };
  const leave = watchAround(el, resize);
  return api;
}

function labelOf(name, take) {
  return `${name[0].toUpperCase()}${name.slice(1)} rate, ${take.setting.ft_lr}`;
}

const ends = (take, method) => {
  const { accuracy, moved, frames } = take.tracks[method];
  const at = (list) => list[Math.min(list.length, frames) - 1];
  return { id: percent(at(accuracy.id)), ood: percent(at(accuracy.ood)),
    movedId: at(moved.id).toFixed(1), movedOod: at(moved.ood).toFixed(1) };
};

const STORY = [
  { title: "pretrained.", from: 0, to: 0, focus: (method) => method === "probe",
    text: (scene, take) => `Every badge is a test image, placed by its pretrained features. A linear ` +
      `probe (LP) leaves them where they are: ${ends(take, "probe").id} right in ` +
      `${take.setting.id_style}, where it saw labels, ${ends(take, "probe").ood} in ` +
      `${take.setting.ood_style}, where it saw none. A thick rim is a mistake.` },
  { title: "a new head.", from: 0, to: 0, focus: (method) => method === "fine-tuning",
    text: (scene, take) => `Fine-tuning (FT) begins with the same features and a head that is ` +
      `${take.setting.head}: ${percent(take.tracks["fine-tuning"].accuracy.id[0])} right. Its ` +
      "errors are large, and so are the gradients, for the head and for the features." },
  { title: "features are dragged.", from: 0, to: 1,
    focus: (method, side) => method !== "probe" && side === "id",
    text: (scene, take) => `Training moves the features of ID images by ` +
      `${ends(take, "fine-tuning").movedId} on average, until FT has ` +
      `${ends(take, "fine-tuning").id} of them right. From the probe's head (LP-FT) they move by ` +
      `${ends(take, "lp-ft").movedId}, to ${ends(take, "lp-ft").id}.` },
  { title: "OOD is left behind.", from: 1, to: 1, focus: (method, side) => side === "ood",
    text: (scene, take) => `The head was fitted to where ID features went. OOD, where nothing was ` +
      `labelled, FT ends at ${ends(take, "fine-tuning").ood}, LP at ${ends(take, "probe").ood}, ` +
      `LP-FT at ${ends(take, "lp-ft").ood}.` },
];

// Menus for what a training needs, and its button.
function trainingControls(parent, choices, ask) {
  const form = element("div", "labkit-view labkit-training", parent);
  const menus = choices.map(({ name, label, options, value }) => {
    const around = element("label", "labkit-field", form);
    element("span", "", around).textContent = label;
    const menu = element("select", "", around);
    menu.append(...options.map((option) => new Option(option, option)));
    menu.value = String(value);
    menu.setAttribute("aria-label", label);
    return [name, menu, options];
  });
  let training = false;
  const press = button(form, "labkit-run", "Train", () => {
    if (training) return ask({ setting: null });
    const pairs = menus.map(([name, menu, options]) => [name, options[menu.selectedIndex]]);
    ask({ setting: Object.fromEntries(pairs) });
  });
  const bar = element("progress", "labkit-progress", form);
  bar.setAttribute("aria-label", "Progress of the training");
  bar.hidden = true;
  return { progress(share) {
    training = share >= 0;
    bar.hidden = !training;
    if (training) bar.value = share;
    press.textContent = training ? "Stop" : "Train";
  } };
}
