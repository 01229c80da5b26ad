"""Sweeps: resumed, retried, spread over processes or a cluster; tables read and compared."""

import os
import re
import signal
import sys
import time

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from labkit import sweeps
from labkit.statistics import concept_scores, crossed_estimate, mean_interval, read_hits
from labkit.sweeps import Experiment, command_line, read_table, sweep

CELLS = [{"shift": shift, "seed": seed} for seed in (0, 1) for shift in ("near", "far")]


def run(shift: str, seed: int) -> list[dict]:
    return [{"method": m, "score": seed + len(shift) * k + 0.5} for k, m in enumerate("ab")]


def expected() -> pd.DataFrame:
    rows = pd.DataFrame([{**cell, **row} for cell in CELLS for row in run(**cell)])
    return rows.sort_values(list(rows.columns)).reset_index(drop=True)


def assert_complete(out) -> None:
    pd.testing.assert_frame_equal(read_table(out), expected())


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_table_does_not_depend_on_who_came_first(tmp_path, jobs) -> None:
    out = tmp_path / "new folder" / "table.csv"
    assert sweep(run, CELLS, out, jobs) == {}
    assert_complete(out)
    assert not list(out.parent.glob("*.tmp"))


def test_what_is_there_is_not_run_again(tmp_path) -> None:
    out, ran = tmp_path / "table.csv", []

    def counted(shift: str, seed: int) -> list[dict]:
        ran.append((shift, seed))
        return run(shift, seed)

    sweep(counted, CELLS[:3], out, jobs=1)
    sweep(counted, CELLS, out, jobs=1)
    assert sorted(ran) == sorted((c["shift"], c["seed"]) for c in CELLS)
    assert_complete(out)


def test_a_table_that_a_spreadsheet_has_saved_is_taken_up(tmp_path) -> None:
    """Byte-order mark, semicolons, decimal commas, TRUE, 1E-05; cells of mixed types."""
    out, ran = tmp_path / "table.csv", []
    cells = [{"rate": rate, "shots": n} for rate in (1e-5, 0.5) for n in (5, "all")]

    def flagged(rate: float, shots: int | str) -> list[dict]:
        ran.append((rate, shots))
        return [{"picked": rate < 0.1, "score": 0.25}]

    sweep(flagged, cells[:2], out, jobs=1)
    text = out.read_text(encoding="utf-8").replace(",", ";").replace("1e-05", "1E-05")
    text = text.replace("True", "TRUE").replace("0.25", "0,25").replace("\n", "\r\n")
    out.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert sweep(flagged, cells, out, jobs=1) == {}
    assert ran == [tuple(cell.values()) for cell in cells], "each once"
    table = read_table(out)
    assert (table["picked"] == (table["rate"] < 0.1)).all() and set(table["score"]) == {0.25}


WORDS = ("None", "nan", "NA", "null", "true", "007", "1_0", "a\u2028b")
VALUES = (None, float("nan"), *WORDS, True, 1, 10)


@pytest.mark.parametrize("together", [1, len(VALUES)])
def test_a_cell_of_any_value_is_run_once(tmp_path, together) -> None:
    """None and nan are an empty field; each word is a word, whatever else is in its column."""
    ran: list[str] = []

    def two(value: object, seed: int) -> list[dict]:
        ran.append(f"{value} {seed}")
        return [{"word": f"a {value}", "gap": np.nan, "score": seed + k} for k in (0.25, 0.5)]

    for i in range(0, len(VALUES), together):
        out, values = tmp_path / f"{i}.csv", VALUES[i + 1 : i + together] or VALUES[i : i + 1]
        cells = [{"value": value, "seed": seed} for seed in (0, 1) for value in values]
        for part in (cells[: together + 2], cells[::-1], cells):
            assert sweep(two, part, out, jobs=1) == {}
        assert sorted(ran) == sorted(f"{cell['value']} {cell['seed']}" for cell in cells)
        ran.clear()
        table = read_table(out)
        assert sorted(table["word"]) == sorted([f"a {value}" for value in values] * 4)
        assert table["gap"].isna().all() and table["gap"].dtype == table["score"].dtype == float


def test_where_a_field_is_empty_the_order_of_arrival_leaves_no_trace(tmp_path) -> None:
    cells = [{"block": block, "seed": 0} for block in (None, "a", "nan", "z")]

    def one(block: str | None, seed: int) -> list[dict]:
        return [{"score": 0.5}]

    for name, order in (("one", cells), ("other", cells[::-1])):
        for end in (1, 2, 4):
            sweep(one, order[:end], tmp_path / name, jobs=1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_cell_that_other_processes_hand_back_is_known_again(tmp_path) -> None:
    """Not a number is unequal to its copy."""
    cells = [{"rate": float("nan"), "seed": seed} for seed in (0, 1)]
    assert sweep(lambda rate, seed: [{"id": seed}], cells, tmp_path / "t.csv", jobs=2) == {}
    assert len(read_table(tmp_path / "t.csv")) == 2


def test_a_cell_without_a_value_that_was_cut_off_is_run_again(tmp_path) -> None:
    out, cells = tmp_path / "t.csv", [{"rate": None, "seed": seed} for seed in (0, 1)]
    sweep(lambda rate, seed: run("near", seed), cells, out, jobs=1)
    whole = out.read_text(encoding="utf-8")
    out.write_text(whole[:-2], encoding="utf-8")
    assert len(read_table(out, ["rate", "seed"])) == 2
    sweep(lambda rate, seed: run("near", seed), cells, out, jobs=1)
    assert out.read_text(encoding="utf-8") == whole


def test_a_sweep_without_cells_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="^cells: got none, accepted: one or more"):
        sweep(run, [], tmp_path / "t.csv")


def test_rows_of_another_cell_are_refused(tmp_path) -> None:
    """They were written, and the cell run anew at every start."""
    failed = sweep(lambda shift, seed: [{"seed": seed + 1}], CELLS, tmp_path / "t.csv", jobs=1)
    assert len(failed) == len(CELLS) and not (tmp_path / "t.csv").exists()
    assert all("run: got rows with another seed, accepted" in text for text in failed.values())
    same = sweep(lambda shift, seed: [{"seed": float(seed)}], CELLS, tmp_path / "t.csv", jobs=1)
    assert same == {}


@pytest.mark.parametrize(("jobs", "started"), [(9999, 4), (3, 3), (-1, -1), (1, 1)])
def test_no_more_processes_than_cells(tmp_path, monkeypatch, jobs, started) -> None:
    asked, parallel = [], joblib.Parallel

    def recorded(n_jobs: int, **options):
        asked.append(n_jobs)
        return parallel(n_jobs=1, **options)

    monkeypatch.setattr(joblib, "Parallel", recorded)
    assert sweep(run, CELLS, tmp_path / "t.csv", jobs=jobs) == {} and asked == [started]


@pytest.mark.parametrize("order", [CELLS, CELLS[::-1]])
def test_a_cell_without_rows_is_run_again_and_harms_no_other(tmp_path, order) -> None:
    out = tmp_path / "t.csv"

    def some(shift: str, seed: int) -> list[dict]:
        return run(shift, seed) if seed else []

    assert sweep(lambda **_: [], order, out, jobs=1) == {} and not out.exists()
    for _ in range(2):
        assert sweep(some, order, out, jobs=1) == {}
        assert len(read_table(out)) == 4
    assert sweep(run, order, out, jobs=1) == {}
    assert_complete(out)


def test_a_run_that_forgets_its_return_fails_by_cell(tmp_path) -> None:
    failed = sweep(lambda shift, seed: None, CELLS, tmp_path / "t.csv", jobs=1)
    assert len(failed) == 4 and "TypeError" in failed[str(CELLS[0])]


def test_a_column_that_came_later_is_empty_in_older_rows(tmp_path) -> None:
    out = tmp_path / "table.csv"
    sweep(run, CELLS[:2], out, jobs=1)

    def more(shift: str, seed: int) -> list[dict]:
        return [{**row, "moved": 1.5} for row in run(shift, seed)]

    assert sweep(more, CELLS, out, jobs=1) == {}
    moved = read_table(out).set_index("seed")["moved"]
    assert moved[0].isna().all() and (moved[1] == 1.5).all()


def test_one_failure_loses_nothing_else_and_is_tried_again(tmp_path) -> None:
    out = tmp_path / "table.csv"

    def sometimes(shift: str, seed: int) -> list[dict]:
        if (shift, seed) == ("far", 0):
            raise FloatingPointError("diverged")
        return run(shift, seed)

    failed = sweep(sometimes, CELLS, out, jobs=1)
    assert list(failed) == ["{'shift': 'far', 'seed': 0}"]
    assert "FloatingPointError: diverged" in next(iter(failed.values()))
    assert len(read_table(out)) == 6
    assert sweep(run, CELLS, out, jobs=1) == {}
    assert_complete(out)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
@pytest.mark.filterwarnings("ignore:A worker stopped")
def test_a_killed_process_loses_its_own_cell_only(tmp_path) -> None:
    out = tmp_path / "table.csv"

    def deadly(shift: str, seed: int) -> list[dict]:
        if (shift, seed) == ("far", 0):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        return run(shift, seed)

    failed = sweep(deadly, CELLS, out, jobs=2)
    assert list(failed) == ["{'shift': 'far', 'seed': 0}"]
    assert "its process was killed" in failed.popitem()[1]
    assert len(read_table(out)) == 6


def test_the_command_line_tells_what_failed(tmp_path, monkeypatch, capsys) -> None:
    def fails(shift: str, seed: int) -> list[dict]:
        raise ValueError("no such style")

    out = tmp_path / "t.csv"
    monkeypatch.setattr("sys.argv", ["sweep", "--jobs", "1", "--folder", str(out.parent)])
    with pytest.raises(SystemExit, match="4 of 4 cells failed"):
        command_line("A sweep.", Experiment("t", fails, CELLS))
    assert "ValueError: no such style" in capsys.readouterr().err
    command_line("A sweep.", Experiment("t", run, CELLS))
    assert_complete(out)


def test_the_command_line_runs_the_tables_that_are_named(tmp_path, monkeypatch, capsys) -> None:
    experiments = [Experiment(name, run, CELLS[:1]) for name in ("one", "two")]
    monkeypatch.setattr("sys.argv", ["sweep", "two", "--jobs", "1", "--folder", str(tmp_path)])
    command_line("Two tables.", *experiments)
    assert [path.name for path in tmp_path.iterdir()] == ["two.csv"]
    monkeypatch.setattr("sys.argv", ["sweep", "three"])
    with pytest.raises(SystemExit):
        command_line("Two tables.", *experiments)
    assert "TABLE: got three, accepted: one, two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", r"labkit: .*t\.csv is damaged, or another table: columns \['a'\]"),
        ("--scheduler foo", "labkit: .*distributed"),
        ("--jobs 0", "--jobs: got 0, accepted: 1 or more"),
        ("--jobs -2", "--jobs: got -2, accepted: 1 or more"),
        ("--folder=", "--folder: got an empty name, accepted: a path"),
    ],
)
def test_the_command_line_refuses_before_any_work(
    tmp_path, monkeypatch, capsys, line, message
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "t.csv").write_text("" if line else "a\n1\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["sweep", *line.split(), "--folder", str(tmp_path)])
    with pytest.raises(SystemExit) as error:
        command_line("A sweep.", Experiment("t", lambda **_: pytest.fail("work"), CELLS))
    assert re.search(message, f"{error.value} {capsys.readouterr().err}")


def test_a_missing_cluster_package_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RuntimeError, match="pip install distributed"):
        sweep(run, CELLS, tmp_path / "t.csv", scheduler="tcp://127.0.0.1:1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of dask's own imports
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP address")  # tests have no network
def test_a_dask_cluster_does_the_same_work(tmp_path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask's `distributed`")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster:
        out = tmp_path / "table.csv"
        assert sweep(run, CELLS, out, scheduler=cluster.scheduler_address) == {}
    assert_complete(out)


RATES = (0.001, 0.01)
METHODS = ("fine-tuning", "lp-ft")


@pytest.fixture
def table() -> pd.DataFrame:
    """Two shifts, two methods, three seeds, two rates; the second rate is always picked."""
    return pd.DataFrame(
        {
            "shift": shift, "seed": seed, "method": method, "rate": rate,
            "picked": rate == RATES[1], "validation": rate, "overlap": 0.3,
            "id": 0.5 + seed / 100 + (method == "lp-ft") / 10 if rate == RATES[1] else 0.0,
            "ood": 0.3 + seed / 100 + (shift == "far") / 10,
        }
        for shift in ("near", "far")
        for seed in (2, 0, 1)
        for method in METHODS
        for rate in RATES
    )  # fmt: skip


def test_scores_are_one_a_seed_in_order(table) -> None:
    found = sweeps.scores(table, "id", shift="near", method="fine-tuning", picked=True)
    assert found.values == pytest.approx([0.5, 0.51, 0.52]) and found.index == (0, 1, 2)
    both = sweeps.scores(table, "ood", shift=["near", "far"], method="lp-ft", picked=True)
    assert both.values == pytest.approx([0.35, 0.36, 0.37])
    every = sweeps.scores(table, "ood", shift=table["shift"].unique(), method="lp-ft", picked=True)
    assert every.values == pytest.approx(both.values)
    two = sweeps.scores(table, ["id", "ood"], shift="near", method="lp-ft", picked=True)
    assert two.values == pytest.approx([0.45, 0.46, 0.47])


def test_a_lead_pairs_seeds(table) -> None:
    found = sweeps.lead(table, "id", "lp-ft", "fine-tuning", shift=["near", "far"], picked=True)
    assert found.interval == pytest.approx((0.1, 0.1, 0.1)), "what both share leaves no doubt"
    by_rate = sweeps.lead(table, "id", {"rate": 0.01}, {"rate": 0.001}, shift="far", method="lp-ft")
    assert by_rate.interval == pytest.approx(mean_interval([0.6, 0.61, 0.62], overlap=0.3))


def test_intervals_are_a_row_for_each_cell(table) -> None:
    found = sweeps.intervals(table, "id", ["method", "rate"], shift="near")
    assert list(found.columns) == ["mean", "low", "high"] and len(found) == 4
    assert tuple(found.loc["lp-ft", 0.01]) == pytest.approx(mean_interval([0.6, 0.61, 0.62], 0.3))


def test_a_group_without_a_value_is_a_group_too(table) -> None:
    """A probe has no rate."""
    tuned = table[table["method"] == "fine-tuning"]
    probe = tuned[tuned["picked"]].assign(method="probe", rate=np.nan, id=0.7)
    found = sweeps.intervals(pd.concat([tuned, probe]), "id", ["rate"], shift="near")
    assert len(found) == 3 and found["mean"].iloc[-1] == pytest.approx(0.7)
    by = ["shift", "seed", "rate"]
    assert sweeps.picked_again(probe.assign(picked=False), {}, by)["picked"].all()


def test_what_seeds_share_is_computed_when_a_table_is_complete(tmp_path, monkeypatch) -> None:
    """Tests of {0, 1}, {1, 2} and {2, 3}: each shares a half with its neighbours."""
    cells = [{"seed": seed} for seed in range(3)]
    tested = {"overlap": lambda row: {row["seed"], row["seed"] + 1}, "overlap_ood": lambda row: "x"}
    monkeypatch.setattr("sys.argv", ["sweep", "--jobs", "1", "--folder", str(tmp_path)])
    runs = Experiment("t", lambda seed: [{"id": 0.1 * seed, "far_ood": 0.5}], cells, tested)
    command_line("A sweep.", runs)
    found = read_table(tmp_path / "t.csv")
    assert found["overlap"].tolist() == [0.25, 0.5, 0.25] and (found["overlap_ood"] == 1).all()
    assert sweeps.scores(found, "id").overlap == pytest.approx(1 / 3)
    assert sweeps.scores(found, "far_ood").overlap == 1
    with pytest.raises(ValueError, match="overlap: got nan"):
        _ = sweeps.scores(found.drop(columns=["overlap", "overlap_ood"]), "id").low


def test_a_fixed_test_with_hits_has_an_interval_over_its_concepts(table) -> None:
    hits = ["bdcdbbcc", "cdbdabcc", "ddbdaacc"]
    fixed = pd.DataFrame({"seed": [1, 0, 2], "id": 0.5, "id_hits": hits, "overlap": 1.0})
    order = [hits[1], hits[0], hits[2]]
    expected = crossed_estimate(concept_scores(*read_hits(order)))
    assert sweeps.scores(fixed, "id").estimate == expected._replace(mean=0.5)
    assert (sweeps.scores(fixed, "id") - sweeps.scores(fixed, "id")).interval == (0, 0, 0)
    no_hits = sweeps.scores(fixed.drop(columns="id_hits"), "id")
    assert no_hits.about == "for other draws, but the same test concepts"


def test_a_value_is_found_however_the_table_holds_it(table) -> None:
    """Beside the word "all" a number is a word; a probe's rate is an empty field."""
    motivation = sweeps.read("motivation")
    words = sweeps.scores(motivation, "id", method="probe", shots="5")
    for five in (5, 5.0, np.int64(5), ["5"]):
        found = sweeps.scores(motivation, "id", method="probe", shots=five)
        assert (found.values == words.values).all()
    means = [sweeps.intervals(motivation, "id", ["method"], shots=five) for five in (5, "5")]
    pd.testing.assert_frame_equal(*means)
    probe = table[table["picked"]].assign(rate=np.nan)
    for none in (None, np.nan, float("nan")):
        found = sweeps.scores(probe, "id", shift="near", method="lp-ft", rate=none)
        assert found.values == pytest.approx([0.6, 0.61, 0.62])
    assert sweeps.scores(table, "id", shift="near", method="lp-ft", picked=1).mean > 0.5


def test_a_mean_over_styles_uses_concepts_that_one_of_them_lacks() -> None:
    table = sweeps.read("contrastive")
    styles = ["twemoji", "noto", "fluent-mono", "blob"]
    found = sweeps.scores(table, styles, method="clip", shots=5)
    assert not np.isnan(found.by_concept).any() and found.by_concept.shape == (5, 135)
    assert found.by_concept.mean(axis=1) == pytest.approx(found.values, abs=1e-4)


def test_episodes_have_an_interval_over_their_concepts() -> None:
    rows = {"concepts": ["1 2", "3 4", "1 3", "5 6"], "a": [0.1, 0.2, 0.4, 0.3]}
    found = sweeps.scores(pd.DataFrame({"episode": range(4), **rows}), "a")
    assert found.members.tolist() == [[1, 2], [3, 4], [1, 3], [5, 6]]
    assert found.index == (0, 1, 2, 3)


def test_episodes_of_two_cells_have_the_concepts_of_both() -> None:
    """A difference of theirs is as unsure of the one's concepts as of the other's."""
    cells = {1: ["1 2", "3 4", "1 3"], 5: ["5 6", "3 1", "4 6"]}
    rows = pd.DataFrame(
        {"episode": episode, "shots": shots, "concepts": text, "a": shots / 10 + episode**2}
        for shots, texts in cells.items()
        for episode, text in enumerate(texts)
    )
    both = [[1, 2, 5, 6], [3, 4, 3, 1], [1, 3, 4, 6]]
    assert sweeps.scores(rows, "a", shots=[1, 5]).members.tolist() == both
    assert sweeps.lead(rows, "a", {"shots": 1}, {"shots": 5}).members.tolist() == both


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"method": "scratch"}, r"method: got \['scratch'\], accepted: fine-tuning, lp-ft"),
        ({"method": "lp-ft", "form": 1}, r"score, where: got \['form'\]"),
        ({"method": "lp-ft"}, "12 rows, not one for each seed"),
        ({"method": "lp-ft", "rate": 0.01, "shift": []}, "shift: got nothing"),
    ],
)
def test_what_is_missing_or_left_open_is_named(table, where, message) -> None:
    with pytest.raises(ValueError, match=message):
        sweeps.scores(table, "id", **where)


def test_seeds_that_do_not_pair_are_refused(table) -> None:
    less = table[(table["method"] != "lp-ft") | (table["seed"] != 1)]
    with pytest.raises(ValueError, match=r"theirs: has \[0, 1, 2\], ours \[0, 2\]"):
        sweeps.lead(less, "id", "lp-ft", "fine-tuning", shift="near", picked=True)
    uneven = table[(table["shift"] != "far") | (table["seed"] != 2)]
    with pytest.raises(ValueError, match=r"look at seed \[2\]"):
        sweeps.scores(uneven, "id", shift=["near", "far"], method="lp-ft", picked=True)
    again = uneven[(uneven["shift"] == "near") & (uneven["seed"] == 2)]
    with pytest.raises(ValueError, match=r"look at seed \[2\]"):  # near twice in place of far
        both = pd.concat([uneven, again])
        sweeps.scores(both, "id", shift=["near", "far"], method="lp-ft", picked=True)
    hole = table.assign(id=table["id"].where(table["seed"] != 1))
    with pytest.raises(ValueError, match="not one for each seed"):
        sweeps.scores(hole, "id", shift="near", method="lp-ft", picked=True)


def test_picking_anew_leaves_rates_out_of_one_method_only(table) -> None:
    by = ["shift", "seed"]
    pd.testing.assert_frame_equal(sweeps.picked_again(table, {}, by), table)
    found = sweeps.picked_again(table, {"lp-ft": [0.01]}, by)
    assert set(found.loc[found["method"] == "lp-ft", "rate"]) == {0.001}
    assert found.loc[found["method"] == "lp-ft", "picked"].all()
    kept = found[found["method"] == "fine-tuning"]
    assert (kept["picked"] == (kept["rate"] == 0.01)).all()
    with pytest.raises(ValueError, match="without: got"):
        sweeps.picked_again(table, {"lpft": [0.01]}, by)


def test_of_equal_networks_that_with_the_smallest_rate_is_picked(table) -> None:
    level = table.assign(validation=0.5)
    found = sweeps.picked_again(level, {}, ["shift", "seed"])
    assert (found["picked"] == (found["rate"] == 0.001)).all()


def test_of_equal_networks_the_sweep_picks_the_least_strength_before_the_rate() -> None:
    """`taken_apart` tries all rates of a strength before the next; `rows` keeps the first."""
    tried = {"strength": [0.1, 0.1, 1, 1], "rate": [0.01, 0.03, 0.01, 0.03]}
    cell = pd.DataFrame({"seed": 0, "method": "l2-sp", **tried, "validation": [0, 0.5, 0.5, 0]})
    assert sweeps.picked_again(cell, {}, ["seed"])["picked"].tolist() == [False, True, False, False]


def test_rows_of_one_number_are_picked_apart() -> None:
    cell = pd.DataFrame({"seed": 0, "method": "ft", "rate": [0.1, 0.2], "validation": [0.5, 0.6]})
    both = pd.concat([cell, cell.assign(seed=1, validation=[0.6, 0.5])])
    picked = sweeps.picked_again(both, {}, ["seed"])["picked"]
    assert picked.tolist() == [False, True, True, False]


def test_the_word_none_is_a_word() -> None:
    assert (sweeps.read("fewshot_chosen")["chosen"] == "None").sum() == 8


@pytest.mark.parametrize("name", ["adapters", "contrastive", "lp_ft", "motivation", "shifts"])
def test_a_shipped_table_has_numbers_in_number_columns(name) -> None:
    table = sweeps.read(name)
    for column in set(table.columns) & {"seed", "id", "ood", "validation", "rate", "moved_id"}:
        assert np.issubdtype(table[column].dtype, np.number), column


def test_a_cell_has_one_thread_and_leaves_the_others_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        _, rows, problem = sweeps.attempt(lambda: [{"threads": torch.get_num_threads()}], {})
        assert (rows, problem, torch.get_num_threads()) == ([{"threads": 1}], "", 3)
    finally:
        torch.set_num_threads(before)
