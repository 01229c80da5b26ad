// The two-layer linear model of labkit.theory, trained by the same steps: f(x) = v'Bx, two
// features. All in coordinates of the training span, where D = B axes' (2, r); outside of it B never
// moves, and enters by scalar products alone. Matrices are arrays of rows.

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const along = (v, D) => D[0].map((_, j) => v[0] * D[0][j] + v[1] * D[1][j]); // v'D, (r,)

// One instance at a feature error: B0 = cos(angle) B* + sin(angle) other, a chord of that length.
function problemOf(given, error, scale) {
  const angle = 2 * Math.asin(error / 2);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const D0 = given.ideal.map((row, i) => row.map((x, j) => cos * x + sin * given.other[i][j]));
  // Outside: rows of B0 among themselves and with rows of B*, (2, 2) each.
  const G = given.outside;
  const pairs = (f) => [0, 1].map((i) => [0, 1].map((j) => f(i, j)));
  return {
    ...given, D0, cos, sin, error,
    v0: given.firstHead.map((x) => scale * x),
    target: along(given.bestHead, given.ideal),
    B0B0: pairs((i, j) => cos * cos * G[i][j] + cos * sin * (G[i][j + 2] + G[i + 2][j]) +
      sin * sin * G[i + 2][j + 2]),
    B0Best: pairs((i, j) => cos * G[i][j] + sin * G[i + 2][j]),
  };
}

// About `points` whole numbers from 0 to steps, evenly spaced in their logarithm.
function recordedSteps(steps, points = 100) {
  const found = new Set([0]);
  for (let i = 0; i < points - 1; i++) found.add(Math.round(steps ** (i / (points - 1))));
  return [...found.add(steps)].sort((a, b) => a - b);
}

// Gradient descent on the head, `headRate` times as fast, and on the features; a record at each
// of the steps `at`.
function descend(problem, start, headRate, at) {
  const { moments, target } = problem;
  const r = moments.length;
  const D = problem.D0.map((row) => Float64Array.from(row));
  const v = [...start];
  const rate = 1 / (2 * moments[0] * (dot(v, v) + 1 + headRate));
  const gradient = new Float64Array(r);
  const records = [];
  let step = 0;
  for (const stop of at) {
    for (; step < stop; step++) {
      let [g0, g1] = [0, 0];
      for (let j = 0; j < r; j++) {
        const pull = 2 * rate * moments[j] * (v[0] * D[0][j] + v[1] * D[1][j] - target[j]);
        gradient[j] = pull;
        g0 += pull * D[0][j];
        g1 += pull * D[1][j];
      }
      for (let j = 0; j < r; j++) {
        D[0][j] -= v[0] * gradient[j];
        D[1][j] -= v[1] * gradient[j];
      }
      v[0] -= headRate * g0;
      v[1] -= headRate * g1;
    }
    records.push(recordOf(problem, [...v], D.map((row) => Array.from(row)), stop));
  }
  return records;
}

// Errors are root mean squares: inputs standard normal in the training subspace, and everywhere.
function recordOf(problem, v, D, step) {
  const inside = along(v, D).reduce((sum, x, j) => sum + (x - problem.target[j]) ** 2, 0);
  const q = [...v.map((x, i) => problem.cos * x - problem.bestHead[i]),
    ...v.map((x) => problem.sin * x)];
  const outside = dot(q, problem.outside.map((row) => dot(row, q)));
  const moved = D.reduce((sum, row, i) =>
    sum + row.reduce((s, x, j) => s + (x - problem.D0[i][j]) ** 2, 0), 0);
  return { step, v, D, id: Math.sqrt(inside), ood: Math.sqrt(Math.max(0, inside + outside)),
    moved: Math.sqrt(moved) };
}

// Linear probing in closed form: the least-squares head on the pretrained features.
function probeHead({ D0, moments, target }) {
  const weighted = D0.map((row) => row.map((x, j) => x * moments[j]));
  const M = weighted.map((row) => D0.map((other) => dot(row, other)));
  return solve(M, weighted.map((row) => dot(row, target)));
}

function solve([[a, b], [c, d]], [x, y]) {
  const det = a * d - b * c;
  return [(d * x - b * y) / det, (a * y - c * x) / det];
}

// All three methods. `bound` is the OOD error that this fine-tuning run never goes below.
function train(given, { error, scale, headRate, steps }) {
  const problem = problemOf(given, error, scale);
  const at = recordedSteps(steps);
  const probed = probeHead(problem);
  const ft = descend(problem, problem.v0, headRate, at);
  const lpFt = descend(problem, probed, headRate, at);
  const lp = [recordOf(problem, probed, problem.D0, 0)];
  return { problem, at, bound: boundOf(problem, ft), runs: { "fine-tuning": ft, probe: lp,
    "lp-ft": lpFt } };
}

// The bound of Kumar et al. (2022, section 3), as labkit.lp_ft.theory_bound has it, for two features and
// |w*| = 1: the smaller of what the theorem states and what its argument proves.
function boundOf(problem, run) {
  const [[a, b], [, d]] = problem.B0B0;
  const cosine = Math.sqrt(Math.max(0, (a + d - Math.hypot(a - d, 2 * b)) / 2));
  const phi = Math.sqrt(Math.abs(dot(problem.v0, problem.bestHead) ** 2 - 1));
  const stated = (cosine / Math.SQRT2) * Math.min(phi, phi * phi) / 4 - problem.error;
  const balance = ({ v, D }) => [0, 1].flatMap((i) => [0, 1].map((j) => v[i] * v[j] -
    dot(D[i], D[j])));
  const first = balance(run[0]);
  const imbalance = Math.max(...run.map((record) =>
    Math.hypot(...balance(record).map((x, i) => x - first[i]))));
  const reach = (root) => {
    const head = (root + problem.error) / cosine;
    const rest = root + Math.sqrt(1 + imbalance + (1 + head) ** 2) * head;
    return head * (2 + head) + rest * (2 + rest);
  };
  const needed = phi * phi - imbalance;
  if (cosine < 1e-12 || reach(0) >= needed) return 0;
  let [low, high] = [0, phi];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    [low, high] = reach(middle) < needed ? [middle, high] : [low, middle];
  }
  return Math.max(0, Math.min(stated, low));
}

// The final OOD errors over feature errors from 0 to `farthest`, all else as it is.
function overErrors(given, setting, farthest, count = 15) {
  return Array.from({ length: count }, (_, i) => {
    const error = (farthest * i) / (count - 1);
    const problem = problemOf(given, error, setting.scale);
    const probed = probeHead(problem);
    const end = (start) => descend(problem, start, setting.headRate, [setting.steps])[0].ood;
    return { error, "fine-tuning": end(problem.v0), "lp-ft": end(probed),
      probe: recordOf(problem, probed, problem.D0, 0).ood };
  });
}

// Where two inputs with the same pretrained feature, a unit vector at `angle`, have their features:
// one within the training span, one orthogonal to it, which never moves. And the true answers.
function twins({ D0, B0B0, B0Best, bestHead, target }, angle) {
  const e = [Math.cos(angle), Math.sin(angle)];
  const inside = D0.map((row) => D0.map((other) => dot(row, other)));
  const input = along(solve(inside, e), D0); // the shortest input with this feature, (r,)
  const [p, q] = solve(B0B0, e);
  const outside = [0, 1].map((j) => p * B0Best[0][j] + q * B0Best[1][j]);
  return { start: e, id: (D) => D.map((row) => dot(row, input)), idTruth: dot(target, input),
    oodTruth: dot(outside, bestHead) };
}
