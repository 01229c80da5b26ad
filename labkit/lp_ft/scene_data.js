// A recorded scene as numbers: unpacking, and what lies between two recorded frames. No drawing.

const SIDES = ["id", "ood"];

function bytes(text) {
  const raw = atob(text);
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

const both = (packed, read) => Object.fromEntries(SIDES.map((side) => [side, read(packed[side])]));

function unpackTrack(packed) {
  return {
    ...packed,
    places: both(packed.places, (text) => new Int16Array(bytes(text).buffer)),
    drift: both(packed.drift, bytes),
    predicted: both(packed.predicted, bytes),
    after: bytes(packed.after),
  };
}

function unpackTake(packed) {
  const tracks = Object.entries(packed.tracks).map(([m, track]) => [m, unpackTrack(track)]);
  return { ...packed, before: bytes(packed.before), tracks: Object.fromEntries(tracks) };
}

// Decoded sprite sheets; `known` are styles that are decoded already.
async function unpackStyles(styles, known = {}) {
  const pairs = Object.entries(styles).map(async ([name, style]) => {
    if (known[name]) return [name, known[name]];
    const image = new Image();
    image.src = style.sheet;
    await image.decode();
    return [name, { ...style, image }];
  });
  return Object.fromEntries(await Promise.all(pairs));
}

// The recorded frame at or before time t, which counts frames and may lie between two.
function frameAt(track, t) {
  return Math.max(0, Math.min(Math.floor(t + 1e-6), track.frames - 1));
}

// Where image i is at time t, written into `out`: recorded places, joined by a smooth curve
// (Catmull and Rom) that goes through each of them.
function placeAt(track, side, i, t, out) {
  const places = track.places[side];
  const count = places.length / 2 / track.frames;
  const last = track.frames - 1;
  const at = Math.max(0, Math.min(t, last));
  const f = Math.floor(at);
  const s = at - f;
  const now = 2 * (f * count + i);
  if (s === 0) {
    out[0] = places[now] * track.unit;
    out[1] = places[now + 1] * track.unit;
    return out;
  }
  const row = 2 * count;
  const before = f > 0 ? now - row : now;
  const next = now + row;
  const later = f + 2 <= last ? next + row : next;
  for (let axis = 0; axis < 2; axis++) {
    const [a, b, c, d] = [places[before + axis], places[now + axis], places[next + axis],
      places[later + axis]];
    const curve = 2 * b + (c - a) * s + (2 * a - 5 * b + 4 * c - d) * s * s +
      (3 * b - a - 3 * c + d) * s * s * s;
    out[axis] = 0.5 * curve * track.unit;
  }
  return out;
}

// How far image i has moved in all dimensions at time t.
function driftAt(track, side, i, t) {
  const count = track.drift[side].length / track.frames;
  const at = Math.max(0, Math.min(t, track.frames - 1));
  const f = Math.floor(at);
  const now = track.drift[side][f * count + i];
  const next = track.drift[side][Math.min(f + 1, track.frames - 1) * count + i];
  return ((now + (next - now) * (at - f)) / 255) * track.farthest;
}

function predictedAt(track, side, i, t) {
  const count = track.predicted[side].length / track.frames;
  return track.predicted[side][frameAt(track, t) * count + i];
}

// The style that a take shows on a side.
function styleOf(scene, take, side) {
  return scene.styles[take.setting[`${side}_style`]];
}

// The place of a concept on a side; -1 where that style has no drawing of it.
function rowOf(scene, take, side, concept) {
  return styleOf(scene, take, side).concepts.indexOf(concept);
}

// Neighbours are numbered through both sides, ID first: [side, row] of each.
function neighboursOf(scene, take, list, side, i) {
  const ids = styleOf(scene, take, "id").labels.length;
  const row = (side === "id" ? 0 : ids) + i;
  return [0, 1, 2].map((k) => list[3 * row + k])
    .map((n) => (n < ids ? ["id", n] : ["ood", n - ids]));
}

// The largest mean movement of any take: one axis for all, so that takes can be compared.
function mostMoved(scene) {
  const tracks = Object.values(scene.takes).flatMap((take) => Object.values(take.tracks));
  return Math.max(1e-9, ...tracks.flatMap((track) => SIDES.flatMap((side) => track.moved[side])));
}

const percent = (share) => `${Math.round(100 * share)} %`;

// What is to be seen, in words.
function wordsOf(scene, take, methods, t, follow) {
  const { steps, setting } = take;
  const step = steps[Math.min(Math.round(t), steps.length - 1)];
  const seen = [];
  const each = methods.filter((m) => take.tracks[m]).map((m) => {
    const track = take.tracks[m];
    const f = frameAt(track, t);
    const moved = m === "probe" ? "" :
      `, moved ${track.moved.id[f].toFixed(1)} and ${track.moved.ood[f].toFixed(1)}`;
    if (f && m !== "probe") seen.push(`${percent(track.shown[f])} of ${scene.methods[m].name}'s`);
    return `${scene.methods[m].name} ${percent(track.accuracy.id[f])} and ` +
      `${percent(track.accuracy.ood[f])}${moved}`;
  });
  const followed = SIDES.map((side) => rowOf(scene, take, side, follow)).map((row, i) =>
    row < 0 ? "" : styleOf(scene, take, SIDES[i]).names[row]).find(Boolean);
  return `Step ${step} of ${steps[steps.length - 1]}, right in ${setting.id_style} (ID) and ` +
    `${setting.ood_style} (OOD): ${each.join("; ")}.` +
    (seen.length ? ` Of the squared movement the plane shows ${seen.join(", ")}.` : "") +
    (followed ? ` Following ${followed}; among its nearest a thick rim is another class.` : "");
}
