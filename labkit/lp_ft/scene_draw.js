// A scene as a picture: the six pictures, and what stands at the mouse.

const TAIL = 1.6; // recorded frames that a tail reaches back
const EDGE = 0.56; // of a picture is to scale: the window that holds the pretrained features
const FAR = 6; // half windows from the middle is the picture's edge, if anything goes so far
const ROW_NAMES = { id: "ID", ood: "OOD" };

// ---------------------------------------------------------------- one picture

// From the plane to pixels, the same scale on both axes: true inside the window (the inner frame),
// logarithmic outside; what is thrown beyond FAR windows waits at the edge.
function mapping(view, box) {
  const [wide, high] = [(box.w * EDGE) / 2, (box.h * EDGE) / 2]; // of the inner frame, pixels
  const scale = Math.min((wide - 4) / view.w, (high - 4) / view.h);
  const [cx, cy] = [box.x + box.w / 2, box.y + box.h / 2];
  const rim = Math.log(Math.max(1.5, Math.min(FAR, view.reach)));
  const squeeze = (u, inside, half) => {
    const off = Math.abs(u) * scale;
    if (off <= inside) return u * scale;
    const share = Math.min(1, Math.log(off / inside) / rim);
    return Math.sign(u) * (inside + share * (half - inside - 14));
  };
  return (place) => {
    place[0] = cx + squeeze(place[0] - view.x, wide, box.w / 2);
    place[1] = cy - squeeze(place[1] - view.y, high, box.h / 2);
    return place;
  };
}

// What does not move: the cell, the window's frame, and a faint dot where everything began.
function drawBack(c, shown, method, side, box) {
  const { scene, take, colors } = shown;
  const to = mapping(take.view, box);
  roundBox(c, box);
  c.fillStyle = colors.cell;
  c.fill();
  drawFrame(c, box, colors);
  c.fillStyle = colors.ghost;
  const place = [0, 0];
  for (let i = 0; i < styleOf(scene, take, side).labels.length; i++) {
    to(placeAt(take.tracks.probe, side, i, 0, place));
    c.fillRect(Math.round(place[0]) - 1, Math.round(place[1]) - 1, 2, 2);
  }
}

function drawFront(c, shown, method, side, box) {
  const { scene, take, t, follow } = shown;
  const track = take.tracks[method] ?? take.tracks.probe;
  const style = styleOf(scene, take, side);
  const count = style.labels.length;
  const to = mapping(take.view, box);
  const color = scene.methods[method].color;
  const followed = rowOf(scene, take, side, follow);
  const place = [0, 0];
  c.save();
  c.beginPath();
  c.rect(Math.round(box.x), Math.round(box.y), Math.round(box.w), Math.round(box.h));
  c.clip();
  drawTails(c, track, side, count, to, t, color, followed);
  const places = new Float32Array(2 * count);
  const halo = shown.layout.size / 2;
  c.beginPath();
  for (let i = 0; i < count; i++) {
    to(placeAt(track, side, i, t, place));
    places.set(place, 2 * i);
    const r = halo * (1 + 1.3 * Math.min(1, driftAt(track, side, i, t) / shown.farthest));
    if (r < halo + 1.5) continue;
    c.moveTo(place[0] + r, place[1]);
    c.arc(place[0], place[1], r, 0, 2 * Math.PI);
  }
  c.globalAlpha = 0.22;
  c.fillStyle = color;
  c.fill();
  drawMarks(c, shown, track, style, side, places, followed);
  c.restore();
  if (followed >= 0) drawNeighbours(c, shown, method, side, box, followed);
  drawVerdict(c, shown, track, side, box);
  shown.places[`${method} ${side}`] = places;
}

function drawFrame(c, { x, y, w, h }, colors) {
  const [ex, ey] = [(w * (1 - EDGE)) / 2, (h * (1 - EDGE)) / 2];
  c.beginPath();
  c.roundRect(x + ex, y + ey, w - 2 * ex, h - 2 * ey, 6);
  c.strokeStyle = colors.line;
  c.lineWidth = 1;
  c.stroke();
}

// Two strokes a picture, the older one fainter; what is followed keeps its whole way.
function drawTails(c, track, side, count, to, t, color, followed) {
  if (track.frames < 2 || t <= 0) return;
  const at = Math.min(t, track.frames - 1);
  const [place, from] = [[0, 0], [0, 0]];
  c.strokeStyle = color;
  c.lineJoin = "bevel";
  for (let part = 0; part < 2; part++) {
    c.beginPath();
    for (let i = 0; i < count; i++) {
      to(placeAt(track, side, i, at - TAIL * (1 - part / 2), from));
      to(placeAt(track, side, i, at - (TAIL / 2) * (1 - part), place));
      if (Math.abs(place[0] - from[0]) + Math.abs(place[1] - from[1]) < 2) continue; // unseen
      c.moveTo(from[0], from[1]);
      c.lineTo(place[0], place[1]);
    }
    c.globalAlpha = (followed >= 0 ? 0.08 : 0.2) * (part + 1);
    c.lineWidth = 1 + part;
    c.stroke();
  }
  c.globalAlpha = 1;
  if (followed < 0) return;
  c.beginPath();
  for (let s = 0; s <= 60; s++) {
    to(placeAt(track, side, followed, (at * s) / 60, place));
    if (s) c.lineTo(place[0], place[1]);
    else c.moveTo(place[0], place[1]);
  }
  c.lineWidth = 3;
  c.stroke();
}

// Copies of whole pixels: that is three times as fast as copies at fractions of one.
function drawMarks(c, shown, track, style, side, places, followed) {
  const { t, layout, ratio } = shown;
  const { sheet, side: pixels } = shown.badgesOf(style);
  c.save();
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.imageSmoothingEnabled = false;
  c.globalAlpha = followed >= 0 ? 0.4 : 1;
  for (let i = 0; i < style.labels.length; i++) {
    const wrong = predictedAt(track, side, i, t) !== style.labels[i];
    c.drawImage(sheet, pixels * i, wrong ? pixels : 0, pixels, pixels,
      Math.round(places[2 * i] * ratio - pixels / 2),
      Math.round(places[2 * i + 1] * ratio - pixels / 2), pixels, pixels);
  }
  c.restore();
  c.globalAlpha = 1;
  if (followed < 0) return;
  const wrong = predictedAt(track, side, followed, t) !== style.labels[followed];
  const [x, y] = [places[2 * followed], places[2 * followed + 1]];
  badge(c, style, followed, x, y, layout.size * 0.85, wrong, shown.colors);
}

// The followed image's nearest three, before training and after, on a band at the foot.
function drawNeighbours(c, shown, method, side, box, i) {
  const { scene, take, colors } = shown;
  const track = take.tracks[method] ?? take.tracks.probe;
  const r = Math.min(11, box.w / 22);
  const y = box.y + box.h - r - 5;
  c.save();
  roundBox(c, box);
  c.clip();
  c.globalAlpha = 0.88;
  c.fillStyle = colors.paper;
  c.fillRect(box.x, y - r - 4, box.w, 2 * r + 9);
  c.globalAlpha = 1;
  const label = styleOf(scene, take, side).labels[i];
  const row = (list, x) => neighboursOf(scene, take, list, side, i).forEach(([where, n], k) => {
    const style = styleOf(scene, take, where);
    badge(c, style, n, x + k * (2 * r + 4), y, r, style.labels[n] !== label, colors);
  });
  const wide = box.w > 250;
  c.font = `13px ${FONT}`;
  c.fillStyle = colors.ink;
  c.textAlign = "left";
  c.textBaseline = "middle";
  let x = box.x + 8;
  const say = (text) => {
    c.fillText(text, x, y);
    x += c.measureText(text).width + 6;
  };
  if (wide) say("nearest:");
  row(take.before, x + r);
  x += 6 * r + 14;
  say("→");
  row(track.after, x + r);
  c.restore();
}

// The share of right ones, large: it is what a lecture hall reads.
function drawVerdict(c, shown, track, side, box) {
  const { colors, t } = shown;
  const text = percent(track.accuracy[side][frameAt(track, t)]);
  c.font = `700 ${Math.round(Math.max(17, Math.min(24, box.w / 12)))}px ${FONT}`;
  c.textAlign = "right";
  c.textBaseline = "top";
  const wide = c.measureText(text).width;
  c.globalAlpha = 0.85;
  c.fillStyle = colors.cell;
  c.fillRect(box.x + box.w - wide - 14, box.y + 3, wide + 12, Math.min(31, box.w / 9));
  c.globalAlpha = 1;
  c.fillStyle = colors.ink;
  c.fillText(text, box.x + box.w - 8, box.y + 7);
}

function drawNames(c, shown, methods) {
  const { scene, take, layout, colors } = shown;
  const box = (method, side) => layout.cells[`${method} ${side}`];
  c.textBaseline = "alphabetic";
  c.textAlign = "left";
  const column = (x, y, text, color, note) => {
    c.font = `700 17px ${FONT}`;
    c.fillStyle = color;
    c.fillRect(x, y - 12, 5, 14);
    c.fillStyle = colors.ink;
    c.fillText(text, x + 10, y);
    const wide = c.measureText(text).width + 18;
    c.font = `13px ${FONT}`;
    c.fillStyle = colors.soft;
    c.fillText(note, x + wide, y);
  };
  const row = (y, text) => {
    c.save();
    c.translate(14, y);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.font = `600 14px ${FONT}`;
    c.fillStyle = colors.ink;
    c.fillText(text, 0, 0);
    c.restore();
  };
  const style = (side) => take.setting[`${side}_style`];
  for (const method of methods) {
    const { x, y, w, h } = box(method, "id");
    const { name, color } = scene.methods[method];
    if (layout.phone) row(y + h / 2, name);
    else column(x, y - 9, name, color, w > 200 ? noteOf(take, method) : "");
  }
  for (const side of SIDES) {
    const { x, y, w, h } = box(methods[0], side);
    if (layout.phone) column(x, y - 9, ROW_NAMES[side], colors.soft, style(side));
    else row(y + h / 2, h > 165 ? `${ROW_NAMES[side]}, ${style(side)}` : ROW_NAMES[side]);
  }
}

function noteOf(take, method) {
  if (method === "probe") return "features stay";
  const rate = { "fine-tuning": take.setting.ft_lr, "lp-ft": take.setting.lp_ft_lr }[method];
  return rate ? `rate ${rate}` : "half LP, half FT";
}

// ---------------------------------------------------------------- all of it

// What stands still while a scene plays, drawn once: cells, names, axes, and all of the probe's.
function stillOf(shown, methods) {
  const still = document.createElement("canvas");
  [still.width, still.height] = [shown.pixels[0], shown.pixels[1]];
  const c = still.getContext("2d");
  c.setTransform(shown.ratio, 0, 0, shown.ratio, 0, 0);
  shown.places = {};
  for (const method of methods)
    for (const side of SIDES) {
      const box = shown.layout.cells[`${method} ${side}`];
      drawBack(c, shown, method, side, box);
      if (method === "probe") drawFront(c, shown, method, side, box);
    }
  dim(c, shown, ["probe"]);
  drawNames(c, shown, methods);
  drawAxes(c, shown, "accuracy");
  drawAxes(c, shown, "moved");
  return still;
}

function drawScene(c, shown, methods) {
  shown.still ??= stillOf(shown, methods);
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.globalCompositeOperation = "copy";
  c.drawImage(shown.still, 0, 0);
  c.globalCompositeOperation = "source-over";
  c.setTransform(shown.ratio, 0, 0, shown.ratio, 0, 0);
  const moving = methods.filter((method) => method !== "probe");
  for (const method of moving)
    for (const side of SIDES)
      drawFront(c, shown, method, side, shown.layout.cells[`${method} ${side}`]);
  dim(c, shown, moving);
  drawCurves(c, shown, methods, "accuracy");
  drawCurves(c, shown, methods, "moved");
}

// Where the story looks elsewhere.
function dim(c, shown, methods) {
  if (!shown.focus) return;
  c.globalAlpha = 0.72;
  c.fillStyle = shown.colors.paper;
  for (const method of methods)
    for (const side of SIDES) {
      if (shown.focus(method, side)) continue;
      roundBox(c, shown.layout.cells[`${method} ${side}`]);
      c.fill();
    }
  c.globalAlpha = 1;
}

// The mark nearest to a point, within reach: [method, side, row] or null.
function markAt(shown, methods, px, py) {
  let [best, nearest] = [null, shown.layout.size * 0.75];
  for (const [key, places] of Object.entries(shown.places)) {
    for (let i = 0; 2 * i < places.length; i++) {
      const distance = Math.hypot(places[2 * i] - px, places[2 * i + 1] - py);
      if (distance < nearest) [best, nearest] = [[...key.split(" "), i], distance];
    }
  }
  return best;
}

function drawTip(c, shown, [method, side, i]) {
  const { scene, take, t, colors } = shown;
  const style = styleOf(scene, take, side);
  const track = take.tracks[method] ?? take.tracks.probe;
  const guess = scene.classes[predictedAt(track, side, i, t)];
  const right = style.labels[i] === predictedAt(track, side, i, t);
  const lines = [style.names[i], right ? `taken for ${guess}: right` : `taken for ${guess}: wrong`];
  if (track.frames > 1) lines.push(`moved by ${driftAt(track, side, i, t).toFixed(1)}`);
  const places = shown.places[`${method} ${side}`];
  const [px, py] = [places[2 * i], places[2 * i + 1]];
  c.font = `14px ${FONT}`;
  const w = Math.max(...lines.map((text) => c.measureText(text).width)) + 68;
  const h = 12 + 18 * Math.max(3, lines.length);
  const x = Math.max(0, Math.min(shown.layout.width - w, px - w / 2));
  const y = py - h - 16 > 0 ? py - h - 16 : py + 18;
  roundBox(c, { x, y, w, h });
  c.fillStyle = colors.paper;
  c.fill();
  c.strokeStyle = colors.line;
  c.lineWidth = 1;
  c.stroke();
  badge(c, style, i, x + 30, y + h / 2, 22, !right, colors);
  c.fillStyle = colors.ink;
  c.textAlign = "left";
  c.textBaseline = "middle";
  lines.forEach((text, k) => c.fillText(text, x + 60, y + h / 2 + 18 * (k - (lines.length - 1) / 2)));
}
