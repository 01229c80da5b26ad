// A mount as an anywidget: the kernel trains, the model carries what it records.
// A module with a `mount` comes before this.

function render({ model, el }) {
  let number = model.get("request").number ?? 0;
  const ask = (request) => {
    model.set("request", { ...request, number: ++number });
    model.save_changes();
  };
  const host = model.get("scene").choices ? {
    train: (setting) => ask({ setting }),
    stop: () => ask({ setting: null }),
  } : undefined;
  const view = mount(el, model.get("scene"), host);
  const taken = () => {
    const { take, styles } = model.get("live");
    view.add?.(take, styles, model.get("progress") < 0);
  };
  const told = () => view.progress?.(model.get("progress"), model.get("error"));
  model.on("change:live", taken);
  model.on("change:progress change:error", told);
  view.ready?.then(taken);
  told();
  const stopWatching = watchControls(el, model.get("title"));
  return () => {
    view.destroy();
    stopWatching();
    model.off("change:live", taken);
    model.off("change:progress change:error", told);
  };
}

export default { render };
