// The four pictures of the proof, drawn from what proof_model.js has computed.

function proofLayout(width) {
  const columns = width < 560 ? 1 : width < 1000 ? 2 : 4;
  const gap = 16;
  const w = (width - gap * (columns - 1)) / columns;
  const h = columns === 1 ? 250 : columns === 2 ? 270 : 320;
  const head = 30;
  const plots = NAMES.map((_, k) => {
    const [column, row] = [k % columns, Math.floor(k / columns)];
    const box = { x: column * (w + gap), y: row * (h + head + 10) + head, w, h };
    return k < 2 ? box : { x: box.x + 38, y: box.y + 4, w: w - (k === 2 ? 84 : 46), h: h - 44 };
  });
  const boxes = NAMES.map((_, k) => ({ x: (k % columns) * (w + gap),
    y: Math.floor(k / columns) * (h + head + 10), w }));
  return { width, plots, boxes, height: Math.ceil(4 / columns) * (h + head + 10) };
}

function drawProof(c, shown) {
  const { layout, colors } = shown;
  c.lineCap = "round";
  NAMES.forEach((name, k) => {
    const { x, y, w } = layout.boxes[k];
    say(c, name, x, y + 16, colors.ink, { size: 15, weight: 700, room: [x, x + w] });
  });
  [drawInputs, drawFeatures, drawErrors, drawOverErrors].forEach((draw, k) => {
    const { x, w } = layout.boxes[k];
    draw(c, { ...shown, room: [x + 4, x + w - 4] }, layout.plots[k]);
  });
}

// A run's record at time t: between two recorded steps, in between.
function recordAt(run, t) {
  const i = Math.min(Math.floor(t), run.length - 1);
  const next = run[Math.min(i + 1, run.length - 1)];
  const s = Math.min(t, run.length - 1) - i;
  const mix = (a, b) => a + (b - a) * s;
  const now = run[i];
  return { v: now.v.map((x, k) => mix(x, next.v[k])), moved: mix(now.moved, next.moved),
    D: now.D.map((row, k) => row.map((x, j) => mix(x, next.D[k][j]))),
    id: mix(now.id, next.id), ood: mix(now.ood, next.ood) };
}

function arrow(c, x0, y0, x1, y1, color, width, dash = []) {
  const [angle, length] = [Math.atan2(y1 - y0, x1 - x0), Math.hypot(x1 - x0, y1 - y0)];
  const tip = Math.min(length, 5 + 2.2 * width);
  c.strokeStyle = c.fillStyle = color;
  c.lineWidth = width;
  c.setLineDash(dash);
  line(c, x0, y0, x1 - 0.8 * tip * Math.cos(angle), y1 - 0.8 * tip * Math.sin(angle));
  c.setLineDash([]);
  c.beginPath();
  c.moveTo(x1, y1);
  for (const turn of [2.7, -2.7]) c.lineTo(x1 + tip * Math.cos(angle + turn),
    y1 + tip * Math.sin(angle + turn));
  c.fill();
}

// Words that stay within `room`, from left to right: longer ones are smaller, or moved.
function say(c, text, x, y, color, { align = "left", size = 13, weight = 400, room } = {}) {
  const measure = (px) => {
    c.font = `${weight} ${px}px ${FONT}`;
    return c.measureText(text).width;
  };
  let width = measure(size);
  if (room && width > room[1] - room[0]) width = measure((size * (room[1] - room[0])) / width);
  const before = { left: 0, center: width / 2, right: width }[align];
  const left = x - before;
  c.textAlign = "left";
  c.textBaseline = "alphabetic";
  c.fillStyle = color;
  c.fillText(text, room ? Math.max(room[0], Math.min(room[1] - width, left)) : left, y);
}

function cell(c, box, colors) {
  roundBox(c, box);
  c.fillStyle = colors.cell;
  c.fill();
}

// ---------------------------------------------------------------- 1, the space of inputs

// Seen so that the training span is the horizontal line. Both rows of B are arrows: across, their
// part along the direction in which fine-tuning moves them most; up, all that is orthogonal to the
// span, and never moves.
function drawInputs(c, { run, state, methods, colors, room }, box) {
  const { problem, runs } = run;
  cell(c, box, colors);
  const way = mainDirection(runs["fine-tuning"].at(-1).D, problem.D0);
  const now = recordAt(runs[state.method], state.t);
  const [cx, base] = [box.x + box.w / 2, box.y + box.h - 56];
  const scale = Math.min(box.w / 2 - 16, base - box.y - 40) / 1.1;
  c.strokeStyle = colors.ghost;
  c.lineWidth = 1;
  c.setLineDash([3, 4]);
  line(c, cx, base, cx, box.y + 22);
  c.setLineDash([]);
  c.strokeStyle = colors.ink;
  c.lineWidth = 3;
  line(c, box.x + 12, base, box.x + box.w - 12, base);
  const centred = { align: "center", room };
  say(c, "training span: all ID inputs", cx, base + 20, colors.ink, centred);
  say(c, "orthogonal: no gradient", cx, box.y + 16, colors.soft, centred);
  const color = methods[state.method].color;
  problem.D0.forEach((row, i) => {
    const up = base - scale * Math.sqrt(problem.B0B0[i][i]);
    const mirrored = i ? -1 : 1; // the two arrows side by side
    const at = (D) => cx + scale * (mirrored * 0.3 + dot(D[i], way));
    const [from, to] = [at(problem.D0), at(now.D)];
    const foot = cx + scale * mirrored * 0.3;
    c.strokeStyle = colors.ghost;
    c.lineWidth = 1;
    c.setLineDash([2, 4]);
    line(c, box.x + 12, up, box.x + box.w - 12, up);
    c.setLineDash([]);
    arrow(c, foot, base, from, up, colors.ghost, 2);
    arrow(c, foot, base, to, up, color, 3.5);
    say(c, `feature ${i + 1}`, to, up - 9, colors.ink, centred);
  });
  say(c, `moved: ${two(now.moved)} inside, 0.00 outside`, cx, base + 42, colors.ink, centred);
}

// The direction (r,) along which two rows have moved most; any where they have not.
function mainDirection(D, D0) {
  const M = D.map((row, i) => row.map((x, j) => x - D0[i][j]));
  const [a, b, d] = [dot(M[0], M[0]), dot(M[0], M[1]), dot(M[1], M[1])];
  const angle = 0.5 * Math.atan2(2 * b, a - d);
  const way = along([Math.cos(angle), Math.sin(angle)], M);
  const length = Math.sqrt(dot(way, way)) || 1;
  return way.map((x) => x / length);
}

// ---------------------------------------------------------------- 2, the space of features

function drawFeatures(c, { run, state, methods, colors, room }, box) {
  const { problem, runs } = run;
  cell(c, box, colors);
  const all = Object.values(runs).flat();
  const stretched = (D) => Math.hypot(...[0, 1, 2, 3].flatMap((k) =>
    twins(problem, (Math.PI * k) / 4).id(D))) / 2;
  const reach = Math.max(1.2, ...all.map(({ v, D }) => Math.max(Math.hypot(...v), stretched(D))));
  const [cx, cy] = [box.x + box.w / 2, box.y + box.h / 2 - 8];
  const scale = (Math.min(box.w, box.h - 70) / 2 / reach) * 0.96;
  const to = ([x, y]) => [cx + scale * x, cy - scale * y];
  const now = recordAt(runs[state.method], state.t);
  const color = methods[state.method].color;
  c.strokeStyle = colors.ghost;
  c.lineWidth = 1;
  c.setLineDash([3, 4]);
  c.beginPath();
  c.arc(cx, cy, scale, 0, 2 * Math.PI);
  c.stroke();
  c.setLineDash([]);
  // ID features began on the circle, evenly spaced; OOD features of the same kind stay on it.
  c.beginPath();
  for (let k = 0; k <= 48; k++) {
    const p = to(twins(problem, (2 * Math.PI * k) / 48).id(now.D));
    if (k) c.lineTo(...p);
    else c.moveTo(...p);
  }
  c.strokeStyle = color;
  c.lineWidth = 2;
  c.stroke();
  c.globalAlpha = 0.55;
  for (let k = 0; k < 8; k++)
    arrow(c, cx, cy, ...to(twins(problem, (Math.PI * k) / 4).id(now.D)), color, 1.5);
  c.globalAlpha = 1;
  const angle = worstAngle(problem, runs["fine-tuning"].at(-1).v);
  const pair = twins(problem, angle);
  arrow(c, cx, cy, ...to(pair.start), colors.ink, 3.5);
  arrow(c, cx, cy, ...to(pair.id(now.D)), color, 4);
  arrow(c, cx, cy, ...to(problem.bestHead), HEAD, 2, [6, 5]);
  arrow(c, cx, cy, ...to(now.v), HEAD, 4);
  let x = box.x + 8;
  for (const [text, paint] of [["ID", color], ["OOD", colors.ink], ["head, dashed: best", HEAD]]) {
    c.fillStyle = paint;
    c.fillRect(x, box.y + 9, 10, 10);
    say(c, text, x + 14, box.y + 19, colors.ink, { room: [x + 14, room[1]] });
    x += 24 + c.measureText(text).width;
  }
  const answers = [dot(now.v, pair.id(now.D)), dot(now.v, pair.start)];
  const foot = box.y + box.h;
  say(c, `ID, ${methods[state.method].name}: answer ${two(answers[0])}, truth ${two(pair.idTruth)}`,
    box.x + 8, foot - 26, colors.ink, { room });
  say(c, `OOD, frozen: answer ${two(answers[1])}, truth ${two(pair.oodTruth)}`, box.x + 8, foot - 9,
    colors.ink, { room });
}

const HEAD = "#8250df"; // readable on both themes, and no method's

// The feature for which the head ends farthest from the best one, with a positive best answer.
function worstAngle({ bestHead }, v) {
  const off = v.map((x, i) => x - bestHead[i]);
  const sign = dot(off, bestHead) < 0 ? -1 : 1;
  return Math.hypot(...off) > 1e-3 ? Math.atan2(sign * off[1], sign * off[0]) :
    Math.atan2(bestHead[1], bestHead[0]);
}

// ---------------------------------------------------------------- 3 and 4, the errors

function axes(c, { x, y, w, h }, { colors, room }, ticks, label) {
  const height = (v) => y + h * (1 - Math.min(v, HIGHEST) / HIGHEST);
  c.strokeStyle = colors.line;
  c.lineWidth = 1;
  for (const v of [0, 0.5, 1, 1.5]) {
    line(c, x, height(v), x + w, height(v));
    say(c, v.toFixed(1), x - 7, height(v) + 4, colors.soft, { align: "right" });
  }
  for (const [at, text] of ticks)
    say(c, text, at, y + h + 17, colors.soft, { align: "center", size: 12.5 });
  say(c, label, x + w / 2, y + h + 36, colors.soft, { align: "center", room });
  return height;
}

function drawErrors(c, shown, box) {
  const { run, state, methods, colors, steps } = shown;
  const place = (step) => box.x + (box.w * Math.log1p(step)) / Math.log1p(steps);
  const ticks = [0, 1, 10, 100, steps].map((step) => [place(step), step]);
  const height = axes(c, box, shown, ticks, "gradient steps (— ID, - - OOD error)");
  const { at, runs, bound } = run;
  if (bound > 0.005) {
    c.fillStyle = methods["fine-tuning"].color;
    c.globalAlpha = 0.18;
    c.fillRect(box.x, height(bound), box.w, height(0) - height(bound));
    c.globalAlpha = 1;
    say(c, "floor of FT, OOD", box.x + box.w, height(bound) - 5, colors.ink,
      { align: "right", room: [box.x + 30, box.x + box.w] });
  }
  const now = Math.min(state.t, at.length - 1);
  const names = [];
  for (const [name, records] of Object.entries(runs)) {
    c.strokeStyle = methods[name].color;
    c.lineWidth = name === state.method ? 3.5 : 2.2;
    for (const side of ["id", "ood"]) {
      c.setLineDash(side === "ood" ? [6, 5] : []);
      c.beginPath();
      for (let i = 0; i < at.length && i <= now; i++)
        c.lineTo(place(at[i]), height(recordAt(records, i)[side]));
      const end = recordAt(records, now)[side];
      c.lineTo(place(recordStep(at, now)), height(end));
      c.stroke();
      if (side === "ood") names.push([height(end), methods[name].name]);
    }
  }
  c.setLineDash([]);
  names.sort((a, b) => a[0] - b[0]);
  names.forEach((name, k) => {
    if (k) name[0] = Math.max(name[0], names[k - 1][0] + 15);
  });
  let lowest = box.y + box.h - 2;
  names.reverse().forEach((name) => {
    name[0] = Math.min(name[0], lowest);
    lowest = name[0] - 15;
    say(c, name[1], place(recordStep(at, now)) + 7, name[0] + 4, colors.ink);
  });
}

function recordStep(at, t) {
  const i = Math.floor(t);
  return at[i] + ((at[i + 1] ?? at[i]) - at[i]) * (t - i);
}

function drawOverErrors(c, shown, box) {
  const { sweep, state, methods, colors, farthest } = shown;
  const place = (error) => box.x + (box.w * error) / farthest;
  const ticks = [0, 0.4, 0.8, 1.2].map((error) => [place(error), error.toFixed(1)]);
  const height = axes(c, box, shown, ticks, "feature error ε (drag): final OOD error");
  c.setLineDash([2, 4]);
  c.strokeStyle = colors.soft;
  line(c, box.x, height(1), box.x + box.w, height(1));
  say(c, "always answering 0", box.x + box.w - 2, height(1) - 6, colors.soft,
    { align: "right", size: 12 });
  c.strokeStyle = colors.ink;
  c.setLineDash([]);
  line(c, place(state.error), box.y, place(state.error), box.y + box.h);
  for (const name of Object.keys(methods)) {
    c.strokeStyle = c.fillStyle = methods[name].color;
    c.lineWidth = 2.5;
    c.setLineDash([6, 5]);
    c.beginPath();
    for (const ends of sweep) c.lineTo(place(ends.error), height(ends[name]));
    c.stroke();
    c.setLineDash([]);
    const i = (state.error / farthest) * (sweep.length - 1);
    const [a, b] = [sweep[Math.floor(i)], sweep[Math.min(Math.ceil(i), sweep.length - 1)]];
    c.beginPath();
    c.arc(place(state.error), height(a[name] + (b[name] - a[name]) * (i % 1)), 5, 0, 2 * Math.PI);
    c.fill();
  }
}
