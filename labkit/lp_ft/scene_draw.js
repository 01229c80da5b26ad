// A scene as a picture: sprites, the six pictures, and what stands at the mouse.

const TAIL = 1.6; // recorded frames that a tail reaches back
const EDGE = 0.56; // of a picture is to scale: the window that holds the pretrained features
const FAR = 6; // half windows from the middle is the picture's edge, if anything goes so far
const ROW_NAMES = { id: "ID", ood: "OOD" };

// ---------------------------------------------------------------- sprites

// Every emoji of a style as a round badge, right ones in the first row, wrong ones in the second:
// in a frame each mark is then one copy of pixels. Small marks are dots in the same two looks.
function badges(style, size, ratio, colors) {
  const side = Math.ceil((size + 6) * ratio);
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [side * style.labels.length, 2 * side];
  const c = sheet.getContext("2d");
  for (let i = 0; i < style.labels.length; i++)
    for (let wrong = 0; wrong < 2; wrong++) {
      c.setTransform(ratio, 0, 0, ratio, side * i, side * wrong);
      badge(c, style, i, (size + 6) / 2, (size + 6) / 2, size / 2, wrong, colors);
    }
  return { sheet, side };
}

function badge(c, style, i, x, y, r, wrong, colors) {
  c.save();
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
  c.fillStyle = "#fff";
  c.fill();
  c.clip();
  const half = 0.86 * r; // an emoji fills its tile: its corners stay in the circle
  c.drawImage(style.image, i * style.tile, 0, style.tile, style.tile, x - half, y - half, 2 * half,
    2 * half);
  c.restore();
  c.beginPath();
  c.arc(x, y, r - (wrong ? 0 : 0.4), 0, 2 * Math.PI);
  c.lineWidth = wrong ? Math.max(2.2, r / 4.5) : 0.9;
  c.strokeStyle = wrong ? colors.wrong : colors.rim;
  c.stroke();
}

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

function drawPicture(c, shown, method, side, box) {
  const { scene, take, t, colors, follow } = shown;
  const track = take.tracks[method] ?? { ...take.tracks.probe };
  const style = styleOf(scene, take, side);
  const count = style.labels.length;
  const to = mapping(take.view, box);
  const color = scene.methods[method].color;
  const followed = rowOf(scene, take, side, follow);
  const place = [0, 0];
  c.save();
  roundBox(c, box);
  c.fillStyle = colors.cell;
  c.fill();
  c.clip();
  drawFrame(c, box, colors);
  drawGhosts(c, track, side, count, to, colors);
  drawTails(c, track, side, count, to, t, color, followed);
  c.beginPath();
  const places = new Float32Array(2 * count);
  const halo = shown.layout.size / 2;
  for (let i = 0; i < count; i++) {
    to(placeAt(track, side, i, t, place));
    places.set(place, 2 * i);
    const r = halo * (1 + 1.3 * Math.min(1, driftAt(track, side, i, t) / shown.farthest));
    if (r < halo * 1.05) continue;
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

// Where everything was before training: one faint dot each.
function drawGhosts(c, track, side, count, to, colors) {
  const place = [0, 0];
  c.beginPath();
  for (let i = 0; i < count; i++) {
    to(placeAt(track, side, i, 0, place));
    c.rect(place[0] - 1, place[1] - 1, 2, 2);
  }
  c.fillStyle = colors.ghost;
  c.fill();
}

// Three strokes a picture, the older the fainter; what is followed keeps its whole way.
function drawTails(c, track, side, count, to, t, color, followed) {
  if (track.frames < 2 || t <= 0) return;
  const at = Math.min(t, track.frames - 1);
  const place = [0, 0];
  c.strokeStyle = color;
  for (let part = 0; part < 3; part++) {
    c.beginPath();
    for (let i = 0; i < count; i++)
      for (let k = 0; k < 3; k++) {
        const back = at - TAIL * (1 - (part + k / 2) / 3);
        to(placeAt(track, side, i, back, place));
        if (k) c.lineTo(place[0], place[1]);
        else c.moveTo(place[0], place[1]);
      }
    c.globalAlpha = (followed >= 0 ? 0.05 : 0.14) * (part + 1);
    c.lineWidth = 0.8 + 0.5 * part;
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

function drawMarks(c, shown, track, style, side, places, followed) {
  const { t, layout } = shown;
  const { sheet, side: pixels } = shown.badgesOf(style);
  const size = layout.size + 6;
  c.globalAlpha = followed >= 0 ? 0.4 : 1;
  for (let i = 0; i < style.labels.length; i++) {
    const wrong = predictedAt(track, side, i, t) !== style.labels[i];
    c.drawImage(sheet, pixels * i, wrong ? pixels : 0, pixels, pixels, places[2 * i] - size / 2,
      places[2 * i + 1] - size / 2, size, size);
  }
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

function drawScene(c, shown, methods) {
  shown.places = {};
  for (const method of methods)
    for (const side of SIDES) {
      const box = shown.layout.cells[`${method} ${side}`];
      c.globalAlpha = 1;
      drawPicture(c, shown, method, side, box);
      const dim = shown.focus && !shown.focus(method, side);
      if (!dim) continue;
      roundBox(c, box);
      c.globalAlpha = 0.72;
      c.fillStyle = shown.colors.paper;
      c.fill();
    }
  c.globalAlpha = 1;
  drawNames(c, shown, methods);
  drawCurves(c, shown, methods, "accuracy");
  drawCurves(c, shown, methods, "moved");
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
