// What every widget here needs: elements, and the names that ipywidgets leaves out.
// controls.py joins this to the script of a widget, since a widget is one script.

function element(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

function button(parent, className, text, press) {
  const node = element("button", className, parent);
  [node.type, node.textContent] = ["button", text];
  node.addEventListener("click", press);
  return node;
}

// Progress and a note in the toolbar, an alert below it; returns the function that shows a state.
function statusLine(toolbar, below) {
  const bar = element("progress", "labkit-progress", toolbar);
  bar.setAttribute("aria-label", "Progress");
  const note = element("span", "labkit-note", toolbar);
  const alert = element("div", "labkit-error", below);
  alert.setAttribute("role", "alert");
  return (progress, text, error) => {
    bar.hidden = progress < 0;
    if (progress >= 0) bar.value = progress;
    note.textContent = text;
    alert.hidden = !error;
    if (alert.textContent !== error) alert.textContent = error;
  };
}

// The picture's words: the first sentence to be read below it, and a place whose changes a screen reader tells.
function spokenCaption(el) {
  const caption = element("p", "labkit-caption", el);
  caption.setAttribute("aria-hidden", "true"); // words of the picture's name
  const live = element("div", "labkit-live", el);
  live.setAttribute("role", "status");
  return [caption, live];
}

// ipywidgets gives sliders no accessible name and groups of radio or toggle buttons no role.
function nameControls(root) {
  for (const control of root.querySelectorAll(".widget-inline-hbox")) {
    const name = control.querySelector(".widget-label")?.textContent.trim();
    if (!name) continue;
    const handles = control.querySelectorAll(".noUi-handle");
    handles.forEach((handle, i) => {
      const end = handles.length === 2 ? (i ? ", upper" : ", lower") : "";
      setAttribute(handle, "aria-label", name + end);
    });
    const readout = control.querySelector(".widget-readout");
    if (readout) {
      setAttribute(readout, "aria-label", name + ", value");
      setAttribute(readout, "role", "textbox");
      if (handles.length === 1) setAttribute(handles[0], "aria-valuetext", readout.textContent);
    }
    const group = control.querySelector(".widget-radio-box");
    const box = group ?? (control.matches(".widget-toggle-buttons") ? control : null);
    if (box) {
      setAttribute(box, "role", group ? "radiogroup" : "group");
      setAttribute(box, "aria-label", name);
    }
  }
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// Name every control as it appears; returns the function that stops watching.
function watchControls(el, title) {
  let observer;
  let stopped = false;
  const start = () => {
    if (stopped) return;
    const root = el.closest(".labkit-panel");
    if (!root) return void setTimeout(start, 50); // not attached yet
    setAttribute(root, "role", "group");
    if (title) setAttribute(root, "aria-label", title);
    root.addEventListener("keydown", keepLetters);
    nameControls(root);
    observer = new MutationObserver(() => nameControls(root));
    const controls = root.querySelector(".labkit-controls") ?? root;
    observer.observe(controls, { childList: true, subtree: true, characterData: true });
  };
  start();
  return () => {
    stopped = true;
    observer?.disconnect();
    el.closest(".labkit-panel")?.removeEventListener("keydown", keepLetters);
  };
}

// A letter typed in a menu is not JupyterLab's: x would cut the panel's cell.
function keepLetters(event) {
  if (!(event.ctrlKey || event.metaKey || event.altKey)) event.stopPropagation();
}

// Whether a panel's text is dark on a light page, or light on a dark one.
function themeOf(el) {
  const shown = getComputedStyle(el.closest(".labkit-panel") ?? el).color;
  const [red, green, blue] = shown.match(/[\d.]+/g).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 128 ? "dark" : "light";
}

// How much larger than its CSS size an element is shown: `zoom`, as on the classroom's pages.
function zoomOf(el) {
  const share = el.offsetWidth ? el.getBoundingClientRect().width / el.offsetWidth : 1;
  return Math.round(100 * share) / 100; // offsetWidth is whole
}
