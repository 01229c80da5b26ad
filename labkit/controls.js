// What every widget here needs: elements, and the names that ipywidgets leaves out.
// controls.py joins this to the script of a widget, since a widget is one script.

function element(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
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
    nameControls(root);
    observer = new MutationObserver(() => nameControls(root));
    const controls = root.querySelector(".labkit-controls") ?? root;
    observer.observe(controls, { childList: true, subtree: true, characterData: true });
  };
  start();
  return () => {
    stopped = true;
    observer?.disconnect();
  };
}
