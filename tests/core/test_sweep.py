"""Sweeps: resumed, retried, spread over processes or a cluster, and always the same table."""

from __future__ import annotations

import sys

import pytest

from labkit.sweep import command_line, read_rows, sweep, write_rows

CELLS = [{"shift": shift, "seed": seed} for seed in (0, 1) for shift in ("near", "far")]


def run(shift: str, seed: int) -> list[dict]:
    return [{"method": m, "score": f"{seed + len(shift) * k:.1f}"} for k, m in enumerate("ab")]


def expected() -> list[dict[str, str]]:
    rows = [{**cell, **row} for cell in CELLS for row in run(**cell)]
    text = [{name: str(value) for name, value in row.items()} for row in rows]
    return sorted(text, key=lambda row: list(row.values()))


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_table_does_not_depend_on_who_came_first(tmp_path, jobs) -> None:
    out = tmp_path / "new folder" / "table.csv"
    assert sweep(run, CELLS, out, jobs) == {}
    assert read_rows(out) == expected()
    assert not list(out.parent.glob("*.tmp"))


def test_what_is_there_is_not_run_again(tmp_path) -> None:
    out, ran = tmp_path / "table.csv", []

    def counted(shift: str, seed: int) -> list[dict]:
        ran.append((shift, seed))
        return run(shift, seed)

    sweep(counted, CELLS[:3], out, jobs=1)
    sweep(counted, CELLS, out, jobs=1)
    assert sorted(ran) == sorted((c["shift"], c["seed"]) for c in CELLS)
    assert read_rows(out) == expected()


def test_one_failure_loses_nothing_else_and_is_tried_again(tmp_path) -> None:
    out = tmp_path / "table.csv"

    def sometimes(shift: str, seed: int) -> list[dict]:
        if (shift, seed) == ("far", 0):
            raise FloatingPointError("diverged")
        return run(shift, seed)

    failed = sweep(sometimes, CELLS, out, jobs=1)
    assert list(failed) == ["{'shift': 'far', 'seed': 0}"]
    assert "FloatingPointError: diverged" in next(iter(failed.values()))
    assert len(read_rows(out)) == 6
    assert sweep(run, CELLS, out, jobs=1) == {} and read_rows(out) == expected()


def test_a_table_is_written_whole_or_not_at_all(tmp_path) -> None:
    out = tmp_path / "table.csv"
    write_rows(out, [{"a": 1}])
    with pytest.raises(ValueError):
        write_rows(out, [{"a": 2}, {"a": 3, "b": 4}])
    assert read_rows(out) == [{"a": "1"}]


def test_the_command_line_tells_what_failed(tmp_path, monkeypatch, capsys) -> None:
    def fails(shift: str, seed: int) -> list[dict]:
        raise ValueError("no such style")

    out = tmp_path / "t.csv"
    monkeypatch.setattr("sys.argv", ["sweep", "--jobs", "1", "--folder", str(out.parent)])
    with pytest.raises(SystemExit, match="4 of 4 cells failed"):
        command_line(fails, CELLS, out, "A sweep.")
    assert "ValueError: no such style" in capsys.readouterr().err
    command_line(run, CELLS, out, "A sweep.")
    assert read_rows(out) == expected()


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
    assert read_rows(out) == expected()
