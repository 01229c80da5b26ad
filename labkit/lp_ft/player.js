// What plays both: a button, a scrubber with its step in words, and keys, over `state.t` from 0 to
// `last()`. `follow` hears of every change of t; `redraw` asks for a frame, which calls `advance`.

function player(el, bar, state, { label, milliseconds, last, follow, redraw }) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  let playing = null;
  const press = button(bar, "labkit-play", "Play", () => (playing ? goTo(state.t) : start()));
  const scrubber = element("input", "labkit-scrubber", bar);
  Object.assign(scrubber, { type: "range", min: 0, max: 1, step: "any", value: 0 });
  scrubber.setAttribute("aria-label", label);
  const step = element("span", "labkit-step", bar);

  const start = (until = last()) => {
    if (state.t >= until) state.t = 0;
    playing = { until, from: state.t, begun: null };
    press.textContent = "Pause";
    redraw();
  };
  const stop = () => {
    playing = null;
    press.textContent = "Play";
  };
  const goTo = (t) => {
    stop();
    state.t = Math.max(0, Math.min(t, last()));
    follow();
  };
  const advance = (now) => {
    if (!playing) return;
    playing.begun ??= now;
    const t = playing.from + ((now - playing.begun) / milliseconds) * last();
    if (t >= playing.until) return goTo(playing.until);
    state.t = still ? Math.floor(t) : t; // whoever wants less motion sees recorded frames only
    follow();
  };
  // Says where it stands; true if that is another step than before.
  const tell = (text) => {
    [scrubber.max, scrubber.value] = [last(), state.t];
    if (step.textContent === text) return false;
    step.textContent = text;
    scrubber.setAttribute("aria-valuetext", text);
    return true;
  };

  scrubber.addEventListener("input", () => goTo(Number(scrubber.value)));
  // Space plays and the arrows step from frame to frame, but where they mean something else.
  el.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target.closest("button, select, summary, input:not(.labkit-scrubber)");
    const to = { ArrowLeft: Math.ceil(state.t - 1 - 1e-6), ArrowRight: Math.floor(state.t + 1 + 1e-6),
      Home: 0, End: Infinity }[event.key];
    const plays = event.key === " " && (!own || own.type === "range");
    if (plays || (!own && to !== undefined)) {
      event.preventDefault();
      if (plays) press.click();
      else goTo(to);
    }
    event.stopPropagation(); // JupyterLab would fold headings
  });
  return { start, stop, goTo, advance, tell, get playing() { return playing !== null; } };
}
