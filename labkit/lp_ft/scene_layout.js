// Where a scene's pictures go, the badges in them, and the two curves beside or below.

// ---------------------------------------------------------------- where everything goes

// Boxes in CSS pixels. Wide: methods are columns, curves stand beside them; less wide: below them;
// on a phone methods are rows.
function layoutOf(width, room, methods) {
  const phone = width < 560;
  const beside = width >= 940;
  const gap = phone ? 6 : 10;
  const left = 22; // for the names of rows
  const top = 30; // for the names of columns
  const across = phone ? 2 : methods.length;
  const down = phone ? methods.length : 2;
  const side = beside ? Math.min(300, width * 0.25) : 0;
  const w = (width - left - side - (beside ? 26 : 0) - gap * (across - 1)) / across;
  const under = beside ? 0 : phone ? 290 : 168;
  const most = (room - top - under - gap) / down;
  const h = Math.round(Math.max(phone ? 124 : 128, Math.min(0.86 * w, most)));
  const cells = {};
  methods.forEach((method, k) => {
    SIDES.forEach((name, s) => {
      const [column, row] = phone ? [s, k] : [k, s];
      cells[`${method} ${name}`] = { x: left + column * (w + gap), y: top + row * (h + gap), w, h };
    });
  });
  const bottom = top + down * (h + gap) - gap;
  const curves = beside ? curvesBeside(width - side, side, top, bottom) :
    curvesBelow(width, bottom + 30, phone);
  return { width, phone, cells, ...curves, size: markSize(w, h) };
}

function curvesBeside(x, side, top, bottom) {
  const h = (bottom - top - 66) / 2;
  const box = { x: x + 44, w: side - 44 - 54, h };
  return { accuracy: { ...box, y: top + 18 }, moved: { ...box, y: top + 18 + h + 48 },
    height: bottom + 6 };
}

function curvesBelow(width, y, phone) {
  const w = phone ? width - 46 - 54 : width / 2 - 46 - 58;
  const h = 104;
  return { accuracy: { x: 46, y, w, h }, height: y + h + 28 + (phone ? h + 44 : 0),
    moved: phone ? { x: 46, y: y + h + 44, w, h } : { x: width / 2 + 46, y, w, h } };
}

const markSize = (w, h) => Math.max(12, Math.min(26, Math.sqrt(w * h) / 12));

// ---------------------------------------------------------------- badges

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

// ---------------------------------------------------------------- the curves

const MOVES = [0, 1, 3, 10, 30, 100, 300, 1000];

// From a frame and a value to a place: accuracies as they are, movements in logarithms.
function scales(shown, what) {
  const box = shown.layout[what];
  const last = shown.take.steps.length - 1;
  const flat = what === "accuracy" ? (v) => v : Math.log1p;
  const top = what === "accuracy" ? 1 : Math.log1p(shown.mostMoved);
  return { box, last, x: (f) => box.x + (box.w * f) / last,
    y: (v) => box.y + box.h * (1 - flat(v) / top) };
}

function drawAxes(c, shown, what) {
  const { colors } = shown;
  const { box, y } = scales(shown, what);
  c.font = `600 14px ${FONT}`;
  c.textAlign = "left";
  c.textBaseline = "alphabetic";
  c.fillStyle = colors.ink;
  c.fillText(what === "accuracy" ? "Accuracy (dashed: OOD)" : "Features moved by (log)",
    box.x - 40, box.y - 9);
  c.font = `13px ${FONT}`;
  c.textAlign = "right";
  c.strokeStyle = colors.line;
  c.fillStyle = colors.soft;
  c.lineWidth = 1;
  const ticks = what === "accuracy" ? [0, 0.5, 1] : MOVES.filter((v) => v < 1.02 * shown.mostMoved);
  for (const tick of ticks) {
    c.fillText(what === "accuracy" ? percent(tick) : tick, box.x - 6, y(tick) + 4);
    line(c, box.x, y(tick), box.x + box.w, y(tick));
  }
}

function drawCurves(c, shown, methods, what) {
  const { scene, take, t, colors } = shown;
  const { box, last, x, y } = scales(shown, what);
  const names = [];
  for (const method of methods) {
    const track = take.tracks[method];
    if (!track) continue;
    for (const side of SIDES) {
      const v = curve(c, track, track[what][side], t, last, x, y, scene.methods[method].color, side);
      if (side === (what === "accuracy" ? "ood" : "id"))
        names.push({ y: y(v), text: scene.methods[method].name });
    }
  }
  names.sort((a, b) => a.y - b.y);
  names.forEach((name, k) => {
    if (k) name.y = Math.max(name.y, names[k - 1].y + 14);
  });
  const over = Math.max(0, (names.at(-1)?.y ?? 0) - (box.y + box.h));
  c.font = `13px ${FONT}`;
  c.textBaseline = "alphabetic";
  c.textAlign = "left";
  c.fillStyle = colors.ink;
  for (const name of names)
    c.fillText(name.text, x(Math.min(t, last)) + 7, name.y - over + 4);
}

// Draws a curve up to time t and returns its height there. A probe has one value: a level line.
function curve(c, track, values, t, last, x, y, color, side) {
  const end = Math.min(t, track.frames > 1 ? track.frames - 1 : last);
  const value = (f) => {
    const i = Math.min(Math.floor(f), values.length - 1);
    return values[i] + ((values[i + 1] ?? values[i]) - values[i]) * (f - Math.floor(f));
  };
  c.strokeStyle = c.fillStyle = color;
  c.lineWidth = 2.5;
  c.setLineDash(side === "ood" ? [6, 4] : []);
  c.beginPath();
  c.moveTo(x(0), y(value(0)));
  for (let f = 1; f < end; f++) c.lineTo(x(f), y(value(f)));
  c.lineTo(x(end), y(value(end)));
  c.stroke();
  c.setLineDash([]);
  c.beginPath();
  c.arc(x(end), y(value(end)), 3.5, 0, 2 * Math.PI);
  c.fill();
  return value(end);
}
