#!/usr/bin/env bash
# anywidget: setting a trait from 0 to False, or {"on": 1} to {"on": true}, never reaches the browser.
#
# Guess:    a synced trait tells the browser each time its value changes. JSON and JavaScript know
#           numbers and booleans apart (0 === false is false), and so does the Python side, which
#           stores the new value.
# Happens:  Python holds False, the browser keeps 0: no message, no observer, also deep inside a dict
#           or a list. The next full state, for a page loaded anew or a saved notebook, does hold False,
#           so the panel changes when nobody touched it. NaN to NaN goes out each time, unchanged.
# Why:      traitlets/traitlets.py, TraitType.set stores first and then compares old == new, where
#           Python says 0 == False == 0.0; ipywidgets sends what traitlets announces.
# Versions: anywidget 0.11.0, ipywidgets 8.1.9, traitlets 5.16.1, Python 3.11; run on 2026-11-28.
# Seen:     1: sent; True: nothing sent; {"on": 1}: sent; {"on": True}: nothing sent; NaN, NaN: 2 sent
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
    anywidget==0.11.0 ipywidgets==8.1.9 traitlets==5.16.1
env/bin/python -W ignore - <<'PY'
import json
import anywidget, traitlets

class Panel(anywidget.AnyWidget):
    _esm = "export default {render() {}}"
    value = traitlets.Any("").tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

panel, sent, told = Panel(), [], []
panel.comm.publish_msg = lambda *_, data, **__: sent.append(data["state"])   # what would go out
panel.observe(lambda change: told.append(change["new"]), ["value", "state"])

def messages(name, value):
    sent.clear(), told.clear()
    setattr(panel, name, value)
    print(name, value, "sent:", sent)
    assert len(sent) == len(told)
    return len(sent)

assert messages("value", 1) == 1
assert messages("value", True) == 0 and panel.value is True
assert messages("value", 2) == 1
assert messages("state", {"on": 1, "path": [0, 1]}) == 1
assert messages("state", {"on": True, "path": [False, True]}) == 0
assert json.dumps(panel.get_state("state")) == '{"state": {"on": true, "path": [false, true]}}'
assert [messages("value", float("nan")) for _ in range(2)] == [1, 1]
panel.comm = None                                    # or its end would call our publish_msg
PY
