// A `mount` as an anywidget: the model carries what the kernel computes, and what the reader asks.
// The module with the mount comes before this.

function render({ model, el }) {
  let number = model.get("request").number ?? 0;
  const ask = (request) => {
    model.set("request", { ...request, number: ++number });
    model.save_changes();
  };
  const view = mount(el, model.get("content"), ask);
  const added = () => view.add?.(model.get("live"), model.get("progress") < 0);
  const told = () => view.progress?.(model.get("progress"), model.get("error"));
  model.on("change:live", added);
  model.on("change:progress change:error", told);
  view.ready?.then(added);
  told();
  const stopWatching = watchControls(el, model.get("title"));
  return () => {
    view.destroy();
    stopWatching();
    model.off("change:live", added);
    model.off("change:progress change:error", told);
  };
}

export default { render };
