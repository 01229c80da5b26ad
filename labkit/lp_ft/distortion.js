// The feature-distortion explorer: it draws recorded frames and trains nothing.
// Scrubbing, playing and pointing need no kernel, so they stay fluid while the kernel trains.
// controls.js comes before this.

const QUIET = 600; // ms without change before a screen reader is told: a drag is not narrated
const PLAY = 160; // ms for a frame
const SIDES = ["id", "ood"];
const FONT = "system-ui, sans-serif";

// Binary traits arrive as DataViews that may begin at any byte: copy them to typed arrays.
function typed(view, Type) {
  const { buffer, byteOffset, byteLength } = view;
  return new Type(buffer.slice(byteOffset, byteOffset + byteLength));
}

// A scene as the model has it -> the same with typed arrays and decoded pictures.
async function unpack(raw) {
  const scene = { ...raw, sides: {}, frames: {} };
  for (const side of SIDES) {
    const { sheet, labels, ...rest } = raw.sides[side];
    const bitmap = await createImageBitmap(new Blob([sheet], { type: "image/png" }));
    scene.sides[side] = { ...rest, labels: typed(labels, Uint8Array), sheet: bitmap };
  }
  for (const [method, frames] of Object.entries(raw.frames)) {
    const both = (what, Type) =>
      Object.fromEntries(SIDES.map((side) => [side, typed(frames[what][side], Type)]));
    scene.frames[method] = {
      ...frames,
      points: both("points", Float32Array),
      regions: both("regions", Float32Array),
      predicted: both("predicted", Uint8Array),
    };
  }
  scene.view = limits(scene);
  return scene;
}

// Centre and half width that hold nearly all points of all methods: one scale for every picture.
function limits(scene) {
  const axis = (offset) => {
    const values = [];
    for (const { points } of Object.values(scene.frames))
      for (const side of SIDES)
        for (let i = offset; i < points[side].length; i += 2) values.push(points[side][i]);
    values.sort((a, b) => a - b);
    return [values[Math.floor(values.length * 0.001)], values[Math.floor(values.length * 0.999)]];
  };
  const [x, y] = [axis(0), axis(1)];
  return { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2, w: x[1] - x[0], h: y[1] - y[0] };
}

// ---------------------------------------------------------------- one side's points

const SHAPES = {
  o: (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
  s: (c, r) => c.rect(-0.9 * r, -0.9 * r, 1.8 * r, 1.8 * r),
  "^": (c, r) => polygon(c, [[0, -1.15 * r], [1.1 * r, 0.85 * r], [-1.1 * r, 0.85 * r]]),
  D: (c, r) => polygon(c, [[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]]),
};

function polygon(c, corners) {
  corners.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.closePath();
}

// Functions from the plane to the pixels of a box and back, the same scale on both axes.
function mapping(view, box) {
  const scale = Math.min(box.w / view.w, box.h / view.h) * 0.92;
  const [cx, cy] = [box.x + box.w / 2, box.y + box.h / 2];
  return {
    to: (x, y) => [cx + (x - view.x) * scale, cy - (y - view.y) * scale],
    from: (px, py) => [view.x + (px - cx) / scale, view.y - (py - cy) / scale],
  };
}

// Which class the head gives to each place of the plane, in cells of a few pixels.
function drawRegions(c, box, map, regions, classes, cell = 3) {
  const winner = (px, py) => {
    const [x, y] = map.from(px + cell / 2, py + cell / 2);
    let [best, most] = [0, -Infinity];
    for (let k = 0; k < classes.length; k++) {
      const z = regions[3 * k] * x + regions[3 * k + 1] * y + regions[3 * k + 2];
      if (z > most) [most, best] = [z, k];
    }
    return best;
  };
  c.globalAlpha = 0.16;
  for (let row = 0; row < box.h; row += cell) {
    const py = box.y + row;
    let start = 0;
    while (start < box.w) {
      const k = winner(box.x + start, py);
      let end = start + cell;
      while (end < box.w && winner(box.x + end, py) === k) end += cell;
      c.fillStyle = classes[k].color;
      c.fillRect(box.x + start, py, end - start, cell); // what sticks out is clipped
      start = end;
    }
  }
  c.globalAlpha = 1;
}

function place(frames, side, frame, i, count) {
  const at = 2 * (frame * count + i);
  return [frames.points[side][at], frames.points[side][at + 1]];
}

function drawPoints(c, scene, side, frames, frame, map, options) {
  const { labels, concept, sheet } = scene.sides[side];
  const count = labels.length;
  const followed = (i) => options.follow >= 0 && concept[i] === options.follow;
  for (let i = 0; i < count; i++) {
    const { color } = scene.classes[labels[i]];
    c.strokeStyle = color;
    c.globalAlpha = followed(i) ? 1 : options.follow >= 0 ? 0.15 : 0.4;
    c.lineWidth = followed(i) ? 3 : 1.2;
    c.beginPath();
    for (let f = 0; f <= frame; f++) {
      const [x, y] = map.to(...place(frames, side, f, i, count));
      if (f) c.lineTo(x, y);
      else c.moveTo(x, y);
    }
    c.stroke();
  }
  for (let i = 0; i < count; i++) {
    const { color, marker } = scene.classes[labels[i]];
    const isRight = frames.predicted[side][frame * count + i] === labels[i];
    const [x, y] = map.to(...place(frames, side, frame, i, count));
    c.globalAlpha = options.follow >= 0 && !followed(i) ? 0.3 : 1;
    c.save();
    c.translate(x, y);
    if (options.emoji) {
      const half = followed(i) ? 16 : 10;
      c.drawImage(sheet, 64 * i, 0, 64, 64, -half, -half, 2 * half, 2 * half);
      c.strokeStyle = color;
      c.lineWidth = 2;
      c.setLineDash(isRight ? [] : [3, 3]);
      c.strokeRect(-half, -half, 2 * half, 2 * half);
    } else {
      c.beginPath();
      SHAPES[marker](c, followed(i) ? 9 : 5.5);
      c.strokeStyle = c.fillStyle = color;
      c.lineWidth = 2;
      if (isRight) c.fill();
      c.stroke();
    }
    c.restore();
  }
  c.globalAlpha = 1;
}

// ---------------------------------------------------------------- curves

function drawCurves(c, box, scene, method, frame, what, ink) {
  const top = what === "accuracy" ? 1 : mostMoved(scene) || 1;
  const y = (value) => box.y + box.h * (1 - value / top);
  const x = (share) => box.x + box.w * share;
  c.strokeStyle = c.fillStyle = ink;
  c.lineWidth = 1;
  c.font = `15px ${FONT}`;
  c.textAlign = "left";
  const title = what === "accuracy" ? "Accuracy" : "Mean distance that features moved";
  c.fillText(title, box.x, box.y - 12);
  c.globalAlpha = 0.6;
  c.beginPath();
  c.moveTo(box.x, box.y);
  c.lineTo(box.x, box.y + box.h);
  c.lineTo(box.x + box.w, box.y + box.h);
  c.stroke();
  c.globalAlpha = 1;
  c.textAlign = "right";
  c.font = `13px ${FONT}`;
  for (const tick of [0, top / 2, top]) {
    const text = what === "accuracy" ? `${Math.round(100 * tick)} %` : tick.toFixed(1);
    c.fillText(text, box.x - 6, y(tick) + 4);
  }
  // WiSE-FT's axis is a share of weights, not training: it does not share a figure with the others.
  const drawn = method === "wise-ft" ? ["wise-ft"] : ["probe", "fine-tuning", "lp-ft"];
  for (const name of drawn.filter((name) => name !== method).concat(method)) {
    const curves = scene.frames[name][what];
    for (const side of SIDES) {
      const values = curves[side].length > 1 ? curves[side] : [curves[side][0], curves[side][0]];
      c.strokeStyle = scene.methods[name].color;
      c.globalAlpha = name === method ? 1 : 0.4;
      c.lineWidth = name === method ? 3 : 2;
      c.setLineDash(side === "ood" ? [7, 5] : []);
      c.beginPath();
      values.forEach((v, i) => {
        const px = x(i / (values.length - 1));
        if (i) c.lineTo(px, y(v));
        else c.moveTo(px, y(v));
      });
      c.stroke();
    }
  }
  c.setLineDash([]);
  c.globalAlpha = 1;
  const last = scene.frames[method].at.length - 1;
  if (last) {
    c.strokeStyle = ink;
    c.lineWidth = 2;
    c.beginPath();
    c.moveTo(x(frame / last), box.y);
    c.lineTo(x(frame / last), box.y + box.h);
    c.stroke();
  }
  c.fillStyle = ink;
  c.textAlign = "center";
  const axis = method === "wise-ft" ? "share of LP-FT's weights, 0 to 1" : "training";
  c.fillText(axis, box.x + box.w / 2, box.y + box.h + 19);
}

function mostMoved(scene) {
  const all = Object.values(scene.frames).flatMap((f) => SIDES.map((side) => f.moved[side]));
  return Math.max(...all.flat());
}

// A line of marks with words, from left to right. Only the marks have a colour: at this size none
// is legible on every background.
function drawKey(c, entries, x, y, ink) {
  c.font = `14px ${FONT}`;
  c.textAlign = "left";
  for (const { text, color, mark } of entries) {
    c.fillStyle = c.strokeStyle = color;
    x += mark(c, x, y - 5);
    c.fillStyle = ink;
    c.fillText(text, x, y);
    x += c.measureText(text).width + 18;
  }
}

const dash = (pattern) => (c, x, y) => {
  c.lineWidth = 3;
  c.setLineDash(pattern);
  c.beginPath();
  c.moveTo(x, y);
  c.lineTo(x + 28, y);
  c.stroke();
  c.setLineDash([]);
  return 34;
};

const shape = (marker) => (c, x, y) => {
  c.save();
  c.translate(x + 6, y);
  c.beginPath();
  SHAPES[marker](c, 6);
  c.fill();
  c.restore();
  return 18;
};

// ---------------------------------------------------------------- the whole picture

function geometry(width) {
  const gap = 24;
  const w = (width - gap) / 2;
  const h = Math.min(w * 0.8, 360);
  const curveTop = 58 + h + 66;
  return {
    height: curveTop + 130 + 60,
    id: { x: 0, y: 58, w, h },
    ood: { x: w + gap, y: 58, w, h },
    accuracy: { x: 52, y: curveTop, w: w - 64, h: 130 },
    moved: { x: w + gap + 52, y: curveTop, w: w - 64, h: 130 },
  };
}

// In less room the whole picture is smaller, so that no text is cut or runs into another.
function laidOut(shown) {
  return Math.max(shown, 700);
}

function drawScene(c, scene, layout, method, frame, options, ink) {
  const frames = scene.frames[method];
  for (const side of SIDES) {
    const box = layout[side];
    const map = mapping(scene.view, box);
    const count = scene.sides[side].labels.length;
    const size = 3 * scene.classes.length;
    c.save();
    c.beginPath();
    c.rect(box.x, box.y, box.w, box.h);
    c.clip();
    const regions = frames.regions[side].subarray(frame * size, (frame + 1) * size);
    drawRegions(c, box, map, regions, scene.classes);
    drawPoints(c, scene, side, frames, frame, map, options);
    c.restore();
    c.fillStyle = ink;
    c.textAlign = "left";
    c.font = `600 17px ${FONT}`;
    const right = Math.round(100 * frames.accuracy[side][frame]);
    c.fillText(`${scene.sides[side].title}: ${right} % right`, box.x, box.y - 12);
  }
  const classes = scene.classes.map((k) => ({ text: k.name, color: k.color, mark: shape(k.marker) }));
  const wrong = options.emoji ? "dashed frame: wrong" : "hollow: wrong";
  drawKey(c, [...classes, { text: wrong, color: ink, mark: () => 0 }], 0, 22, ink);
  drawCurves(c, layout.accuracy, scene, method, frame, "accuracy", ink);
  drawCurves(c, layout.moved, scene, method, frame, "moved", ink);
  const lines = [
    { text: "in distribution", color: ink, mark: dash([]) },
    { text: "out of distribution", color: ink, mark: dash([7, 5]) },
  ];
  const names = method === "wise-ft" ? ["wise-ft"] : ["probe", "fine-tuning", "lp-ft"];
  const methods = names.map((name) => ({ ...scene.methods[name], mark: dash([]) }));
  const key = methods.map(({ name, color, mark }) => ({ text: name, color, mark }));
  drawKey(c, [...lines, ...key], 0, layout.height - 8, ink);
}

// The picture and name of the point under the mouse, beside it.
function drawTip(c, scene, hover, width) {
  const { side, i, x, y } = hover;
  const { sheet, names } = scene.sides[side];
  c.font = `15px ${FONT}`;
  const room = Math.max(84, c.measureText(names[i]).width + 20);
  const left = Math.min(Math.max(x - room / 2, 0), width - room);
  const top = y > 120 ? y - 112 : y + 14;
  c.fillStyle = "#fff";
  c.strokeStyle = "#7b7b7b";
  c.lineWidth = 1;
  c.fillRect(left, top, room, 98);
  c.strokeRect(left, top, room, 98);
  c.drawImage(sheet, 64 * i, 0, 64, 64, left + room / 2 - 32, top + 6, 64, 64);
  c.fillStyle = "#222";
  c.textAlign = "center";
  c.fillText(names[i], left + room / 2, top + 88);
}

// ---------------------------------------------------------------- controls of the view

function labelled(parent, text, node) {
  const label = element("label", "labkit-field", parent);
  element("span", "", label).textContent = text;
  label.append(node);
  return node;
}

function menu(parent, text) {
  return labelled(parent, text, document.createElement("select"));
}

function fill(select, options, value) {
  select.replaceChildren(
    ...options.map(([key, text]) => {
      const option = document.createElement("option");
      [option.value, option.textContent] = [key, text];
      return option;
    }),
  );
  select.value = value;
}

function render({ model, el }) {
  el.classList.add("labkit-picture", "labkit-distortion");
  const fields = element("div", "labkit-view", el);
  // JupyterLab would take the arrow keys for folding headings.
  fields.addEventListener("keydown", (event) => event.stopPropagation());
  const method = menu(fields, "Method");
  const slider = labelled(fields, "Training step", document.createElement("input"));
  slider.type = "range";
  slider.min = 0;
  const stepName = slider.previousSibling;
  const follow = menu(fields, "Follow");
  const emoji = labelled(fields, "Draw the emoji", document.createElement("input"));
  emoji.type = "checkbox";

  const toolbar = element("div", "labkit-toolbar", el);
  const play = button(toolbar, "labkit-play", "Play", () => (playing ? stop() : start()));
  button(toolbar, "labkit-reset", "Reset", () => startOver());
  const showStatus = statusLine(toolbar, el);
  const canvas = element("canvas", "labkit-canvas", el);
  canvas.setAttribute("role", "img");
  const [caption, live] = spokenCaption(el);

  let scene = null;
  let mouse = null; // where it rests, as an event: what lies under it changes with the frame
  let pending = false;
  let playing = null;
  let telling = null;
  let saving = null;
  const state = () => ({ method: model.get("method"), frame: model.get("frame") });
  const last = () => scene.frames[state().method].at.length - 1;

  const draw = () => {
    pending = false;
    if (!scene || !el.clientWidth) return;
    const shown = Math.min(el.clientWidth, 920);
    const width = laidOut(shown);
    const layout = geometry(width);
    const ratio = (window.devicePixelRatio * zoomOf(el) * shown) / width;
    if (canvas.width !== Math.round(width * ratio) || !canvas.style.height) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(layout.height * ratio);
      const height = (layout.height * shown) / width;
      [canvas.style.width, canvas.style.height] = [`${shown}px`, `${height}px`];
    }
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, layout.height);
    const ink = getComputedStyle(el).color;
    const { method, frame } = state();
    const options = { emoji: model.get("emoji"), follow: model.get("follow") };
    drawScene(c, scene, layout, method, Math.min(frame, last()), options, ink);
    const hover = mouse && under(mouse);
    if (hover) drawTip(c, scene, hover, width);
    canvas.dataset.shown = `${model.get("version")} ${method} ${frame}`; // tests wait for it
  };

  const redraw = () => {
    if (!pending) requestAnimationFrame(draw); // however often asked, one picture per screen frame
    pending = true;
  };

  const words = () => {
    const { method, frame } = state();
    const text = scene.texts[method][Math.min(frame, last())];
    for (const side of Object.values(scene.sides)) {
      const i = side.concept.indexOf(model.get("follow"));
      if (i >= 0) return `${text} Following ${side.names[i]}.`;
    }
    return text;
  };

  const showState = () => {
    if (!scene) return;
    const { method: name, frame } = state();
    method.value = name;
    slider.max = last();
    slider.value = frame;
    slider.disabled = play.disabled = last() === 0;
    const { at } = scene.frames[name];
    const now = at[Math.min(frame, last())];
    stepName.textContent = name === "wise-ft" ? `Share of LP-FT's weights: ${now}` :
      `Training step: ${now} of ${at[last()]}`;
    slider.setAttribute("aria-valuetext", String(now));
    follow.value = String(model.get("follow"));
    emoji.checked = model.get("emoji");
    caption.textContent = words();
    canvas.setAttribute("aria-label", words());
    redraw();
    tell();
  };

  // The picture moves at once; the kernel hears of it when the slider rests.
  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(() => model.save_changes(), 150);
    showState();
  };

  const showProgress = () => {
    const progress = model.get("progress");
    showStatus(progress, model.get("note"), model.get("error"));
    el.classList.toggle("labkit-stale", progress >= 0);
    tell();
  };

  const tell = () => {
    clearTimeout(telling);
    telling = setTimeout(() => {
      if (!scene) return;
      const text = model.get("error") ? "" : model.get("progress") >= 0 ? "Training" : words();
      if (live.textContent !== text) live.textContent = text;
    }, QUIET);
  };

  const showScene = async () => {
    const raw = model.get("scene");
    if (!raw?.frames) return;
    const version = model.get("version");
    const unpacked = await unpack(raw);
    if (version !== model.get("version")) return; // a newer one is on its way
    const opening = !scene; // is not told aloud
    scene = unpacked;
    const methods = Object.entries(scene.methods).map(([key, look]) => [key, look.name]);
    fill(method, methods, state().method);
    const sides = Object.values(scene.sides);
    const names = new Map(sides.flatMap((side) => side.concept.map((c, i) => [c, side.names[i]])));
    const known = [...names].sort((a, b) => a[1].localeCompare(b[1]));
    fill(follow, [["-1", "nothing"], ...known], "-1");
    if (!names.has(model.get("follow"))) model.set("follow", -1); // neither style has it
    if (state().frame > last()) model.set("frame", last());
    showState();
    if (opening) clearTimeout(telling);
  };

  const stop = () => {
    clearInterval(playing);
    playing = null;
    play.textContent = "Play";
  };
  const start = () => {
    play.textContent = "Pause";
    if (state().frame >= last()) set({ frame: 0 });
    playing = setInterval(() => {
      if (state().frame >= last()) stop();
      else set({ frame: state().frame + 1 });
    }, PLAY);
  };
  slider.addEventListener("input", () => {
    stop();
    set({ frame: Number(slider.value) });
  });
  method.addEventListener("change", () => {
    stop();
    set({ method: method.value, frame: scene.frames[method.value].at.length - 1 });
  });
  follow.addEventListener("change", () => set({ follow: Number(follow.value) }));
  emoji.addEventListener("change", () => set({ emoji: emoji.checked }));
  const startOver = () => {
    stop();
    model.set("reset_request", model.get("reset_request") + 1);
    model.save_changes();
  };

  // The nearest point within reach of the mouse, or null.
  const under = (event) => {
    if (!scene) return null;
    const box = canvas.getBoundingClientRect();
    const width = laidOut(box.width / zoomOf(canvas));
    const zoom = box.width / width;
    const [mx, my] = [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
    const layout = geometry(width);
    const { method, frame } = state();
    let best = null;
    for (const side of SIDES) {
      const map = mapping(scene.view, layout[side]);
      const count = scene.sides[side].labels.length;
      for (let i = 0; i < count; i++) {
        const at = place(scene.frames[method], side, Math.min(frame, last()), i, count);
        const [x, y] = map.to(...at);
        const distance = Math.hypot(x - mx, y - my);
        if (distance < (best?.distance ?? 14)) best = { side, i, x, y, distance };
      }
    }
    return best;
  };
  canvas.addEventListener("mousemove", (event) => {
    mouse = event;
    canvas.style.cursor = under(mouse) ? "pointer" : "default";
    redraw();
  });
  canvas.addEventListener("mouseleave", () => {
    mouse = null;
    redraw();
  });
  canvas.addEventListener("click", (event) => {
    const point = under(event);
    const concept = point ? scene.sides[point.side].concept[point.i] : -1;
    set({ follow: concept === model.get("follow") ? -1 : concept });
  });

  model.on("change:version", showScene);
  model.on("change:method change:frame change:follow change:emoji", showState);
  model.on("change:progress change:note change:error", showProgress);
  const resized = new ResizeObserver(redraw);
  resized.observe(el);
  const themed = new MutationObserver(redraw); // JupyterLab names its theme on the body
  themed.observe(document.body, { attributes: true });
  showScene();
  showProgress();
  const stopWatching = watchControls(el, model.get("title"));
  return () => {
    stop();
    stopWatching();
    resized.disconnect();
    themed.disconnect();
    clearTimeout(telling);
    model.off("change:version", showScene);
    model.off("change:method change:frame change:follow change:emoji", showState);
    model.off("change:progress change:note change:error", showProgress);
  };
}

export default { render };
