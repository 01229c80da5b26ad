// The picture of a panel: it draws what the model holds and decides nothing.
// Around it: the buttons, and one line about the state. controls.js comes before this.

const TOLD = "change:status change:progress change:error"; // and not: how large the panel is
const QUIET = 600; // ms without change before a screen reader is told: a drag is not narrated

function render({ model, el }) {
  el.classList.add("labkit-picture");

  const toolbar = element("div", "labkit-toolbar", el);
  const ask = (request) => {
    model.set(request, model.get(request) + 1);
    model.save_changes();
  };
  const action = model.get("action");
  const runButton = action && button(toolbar, "labkit-run", action, (event) => {
    if (model.get("progress") < 0) ask("run_request");
    else if (event.detail < 2) ask("stop_request"); // not by a double click
  });
  button(toolbar, "labkit-reset", "Reset", () => ask("reset_request"));
  const showStatus = statusLine(toolbar, el);
  const image = element("img", "labkit-image", el);
  if (model.get("clickable")) {
    image.classList.add("labkit-clickable");
    image.addEventListener("click", (event) => {
      const box = image.getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width;
      const down = (event.clientY - box.top) / box.height;
      model.set("clicked", [(model.get("clicked")[0] ?? 0) + 1, across, down]);
      model.save_changes();
    });
  }
  const [caption, live] = spokenCaption(el);

  let url = null;
  const showFrame = () => {
    const bytes = model.get("frame");
    image.hidden = !bytes?.byteLength;
    if (image.hidden) return;
    const old = url;
    const number = model.get("frames");
    url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    image.onload = () => {
      image.dataset.frame = number; // tests and measurements wait for it
      if (old) URL.revokeObjectURL(old);
      else tellScreen();
    };
    image.style.width = model.get("width") + "px";
    image.src = url;
  };

  const showText = () => {
    image.alt = model.get("alt");
    caption.textContent = model.get("alt").split(/(?<=[.!?]) /)[0]; // as style.caption
    showStatus(model.get("progress"), model.get("note"), model.get("error"));
    el.classList.toggle("labkit-stale", model.get("stale"));
    if (runButton) runButton.textContent = model.get("progress") < 0 ? action : "Stop";
  };

  // Only changes are told: opening a notebook does not read every panel aloud.
  let timer = null;
  const tell = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      let words = model.get("status");
      if (model.get("progress") >= 0) words = model.get("action") + ": running";
      if (model.get("error")) words = ""; // the alert says it
      if (live.textContent !== words) live.textContent = words;
    }, QUIET);
  };

  // A frame has the pixels that the screen shows, no more: a narrow window, zoom, a projector.
  // And it has the ink of the page.
  const shownWidth = () => {
    const box = image.getBoundingClientRect(); // in the classroom larger than the picture in it
    const ratio = image.naturalWidth / image.naturalHeight;
    if (box.width && ratio) return Math.min(box.width, box.height * ratio);
    return zoomOf(el) * Math.min(el.clientWidth, model.get("width"));
  };
  const tellScreen = () => {
    if (!el.isConnected) return; // taken off the page, as when its output is drawn anew
    const screen = (window.devicePixelRatio * shownWidth()) / model.get("width");
    const theme = themeOf(el);
    const sharp = !screen || Math.abs(screen / model.get("screen") - 1) < 0.01;
    if (sharp && theme === model.get("theme")) return;
    model.set(sharp ? { theme } : { screen, theme });
    model.save_changes();
  };
  const themes = new MutationObserver(tellScreen);
  themes.observe(document.body, { attributeFilter: ["class", "data-jp-theme-light"] });
  let resized = null;
  const sizes = new ResizeObserver(() => {
    if (resized === null) tellScreen(); // at first at once, while it is being resized at rest
    clearTimeout(resized);
    resized = setTimeout(tellScreen, 250);
  });

  model.on("change:frames", showFrame);
  model.on("change", showText);
  model.on(TOLD, tell);
  showFrame();
  showText();
  sizes.observe(el);
  const stopWatching = watchControls(el, model.get("title"));
  return () => {
    stopWatching();
    clearTimeout(timer);
    sizes.disconnect();
    themes.disconnect();
    clearTimeout(resized);
    model.off("change:frames", showFrame);
    model.off("change", showText);
    model.off(TOLD, tell);
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
