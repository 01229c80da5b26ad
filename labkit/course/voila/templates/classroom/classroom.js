// One panel at a time. Arrow keys and a clicker's PageUp and PageDown step, unless a control has them.

const slides = [...document.querySelectorAll("[cell-index]")].filter((cell) => cell.querySelector(".celltag_panel"));
const MOVED = "input, select, textarea, [role=slider], [role=textbox], [contenteditable]"; // by arrows
const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageDown: 1, PageUp: -1 };

const bar = document.createElement("nav");
bar.className = "classroom-bar";
bar.setAttribute("aria-label", "Panels");
bar.innerHTML = '<a>All lectures</a><button aria-label="Previous panel">←</button><span role="status"></span>' +
  '<button aria-label="Next panel">→</button>';
bar.querySelector("a").href = document.body.dataset.baseUrl.replace(/voila\/$/, "");
document.body.append(bar);
const [before, after] = bar.querySelectorAll("button");
before.onclick = () => show(at - 1);
after.onclick = () => show(at + 1);

let at = Math.min(Number(location.hash.slice(1)) || 1, slides.length) - 1;
function show(place) {
  at = Math.max(0, Math.min(place, slides.length - 1));
  slides.forEach((slide, i) => { slide.hidden = i !== at; });
  bar.querySelector("span").textContent = `${at + 1} of ${slides.length}`;
  [before.disabled, after.disabled] = [at === 0, at === slides.length - 1];
  history.replaceState(null, "", `#${at + 1}`);
  fit();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return document.activeElement.blur();
  const step = STEPS[event.key];
  const own = event.key.startsWith("Arrow") && event.target.closest?.(MOVED);
  if (!step || own || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  show(at + step);
}, true);

// A flat picture takes the whole width, below its controls. One that draws itself has a size of its
// own: it is enlarged, or reduced, to fill the screen.
function fit() {
  const image = slides[at]?.querySelector(".labkit-image");
  const flat = image && image.naturalWidth > 1.9 * image.naturalHeight;
  image?.closest(".labkit-panel").classList.toggle("classroom-flat", flat);
  const panel = slides[at]?.querySelector(".labkit-wide");
  if (!panel) return;
  const room = panel.parentElement.getBoundingClientRect();
  const most = document.querySelector(".classroom-bar").getBoundingClientRect().top - room.top - 4;
  const scale = Math.min(room.width / panel.offsetWidth, most / panel.offsetHeight);
  if (scale > 0) panel.style.transform = `scale(${scale.toFixed(3)})`;
}
window.addEventListener("resize", fit);
const sizes = new ResizeObserver(fit);
new MutationObserver(() => {
  document.querySelectorAll(".labkit-wide").forEach((panel) => sizes.observe(panel));
  document.querySelectorAll(".labkit-image").forEach((image) => { image.addEventListener("load", fit); });
}).observe(document.body, { childList: true, subtree: true });
show(at);
