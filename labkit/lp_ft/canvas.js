// What both pictures of this folder need of a canvas: its size, its colours, what happens around it.

const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";
const QUIET = 600; // ms at rest before a screen reader is told

function roundBox(c, { x, y, w, h }) {
  c.beginPath();
  c.roundRect(x, y, w, h, 8);
}

function line(c, ...ends) {
  c.beginPath();
  c.moveTo(ends[0], ends[1]);
  c.lineTo(ends[2], ends[3]);
  c.stroke();
}

// The CSS pixels across that a canvas in `el` has, or it would be squeezed.
function widthIn(el) {
  const style = getComputedStyle(el);
  const room = el.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return Math.max(0, Math.min(room, 1280));
}

// Returns how many of the screen's pixels a CSS pixel has.
function fitCanvas(canvas, width, height, zoom) {
  const ratio = Math.min(2.5, window.devicePixelRatio * zoom);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  return ratio;
}

// Calls `resize` when size or theme change; returns the function that stops it.
function watchAround(el, resize) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", resize);
  window.addEventListener("resize", resize);
  const watching = [new ResizeObserver(resize), new MutationObserver(resize)];
  watching[0].observe(el);
  watching[1].observe(document.body, { attributes: true }); // JupyterLab names its theme there
  return () => {
    watching.forEach((watch) => watch.disconnect());
    window.removeEventListener("resize", resize);
    dark.removeEventListener("change", resize);
  };
}

// Colours for the canvas, by what lies behind it: JupyterLab's theme, Voila's, the page's.
function themed(el) {
  el.dataset.theme = isDark(el) ? "dark" : "light";
  const style = getComputedStyle(el);
  const color = (name) => style.getPropertyValue(`--scene-${name}`).trim();
  const names = ["ink", "soft", "line", "paper", "cell", "ghost", "rim", "wrong"];
  return Object.fromEntries(names.map((name) => [name, color(name)]));
}

function isDark(el) {
  for (let node = el.parentElement; node; node = node.parentElement) {
    const shown = getComputedStyle(node).backgroundColor || "0 0 0 0"; // "" where no page holds it
    const [r, g, b, a = 1] = shown.match(/[\d.]+/g).map(Number);
    if (a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 128;
  }
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}
