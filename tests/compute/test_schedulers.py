import gc
import sys
from types import SimpleNamespace

import pytest

from wirsung.compute import schedulers
from wirsung.compute.schedulers import connected
from wirsung.errors import ConfigError, MissingDependencyError

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


def connect(address):
    with connected(address):
        pytest.fail("there is no such cluster")


@pytest.mark.parametrize("address", ["", "localhost", "http://here:80", "local", "pbs:jobs.toml"])
def test_an_address_of_no_cluster_is_told_what_there_is(address):
    said = "asks for no number" if address == "local" else r"Give tcp://HOST:PORT, local:N or slurm:FILE.toml"
    with pytest.raises(ConfigError, match=said):
        connect(address)


@pytest.mark.parametrize("count", ["", "0", "-2", "many", "1.5"])
def test_a_local_cluster_needs_a_number_of_workers(count):
    with pytest.raises(ConfigError, match=f"local:{count} asks for no number of workers"):
        connect(f"local:{count}")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp://127.0.0.1:port", "tcp://"])
def test_an_address_where_nobody_answers_is_a_wrong_call(address, monkeypatch):
    monkeypatch.setattr(schedulers, "_ANSWER_S", 0.3)
    with pytest.raises(ConfigError, match="No Dask scheduler answers at"):
        connect(address)
    left = [item for item in gc.get_objects() if type(item) is distributed.Client and item.status != "closed"]
    assert left == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "workers = 4",
        "workers = 0\n[job]",
        "workers = 'x'\n[job]",
        "workers = true\n[job]",
        "worker = 4\n[job]",
    ],
)
def test_a_slurm_file_says_how_many_jobs_and_of_which_kind(tmp_path, content):
    path = tmp_path / "slurm.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"wants `workers = N` .* and a table \[job\]"):
        connect(f"slurm:{path}")


def test_a_slurm_file_that_is_no_toml_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.toml: can't be read"):
        connect(f"slurm:{tmp_path / 'missing.toml'}")
    (tmp_path / "bad.toml").write_text("workers = = 3")
    with pytest.raises(ConfigError, match=r"bad\.toml: can't be read as TOML"):
        connect(f"slurm:{tmp_path / 'bad.toml'}")


def test_without_dask_jobqueue_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    path = tmp_path / "slurm.toml"
    path.write_text('workers = 2\n[job]\ncores = 1\nmemory = "1GB"\n')
    with pytest.raises(MissingDependencyError, match=r"pip install 'wirsung\[cluster\]'"):
        connect(f"slurm:{path}")


@pytest.fixture
def slurm_stand_in(monkeypatch):
    """dask-jobqueue with local processes as jobs: what it does with Slurm itself is its own affair."""

    class SLURMCluster(distributed.LocalCluster):
        """As strict about its arguments as the real one."""

        def __init__(self, *, queue, cores, memory):
            assert (queue, memory) == ("cpu", "1GB")
            super().__init__(n_workers=0, threads_per_worker=cores, host="127.0.0.1", dashboard_address=None)

        def scale(self, n=0, *, jobs=None):
            return super().scale(n if jobs is None else jobs)

    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=SLURMCluster))


def test_slurm_gets_the_job_as_it_is_written_and_as_many_as_asked(tmp_path, slurm_stand_in):
    path = tmp_path / "slurm.toml"
    path.write_text('workers = 1\n[job]\nqueue = "cpu"\ncores = 2\nmemory = "1GB"\n')
    with connected(f"slurm:{path}") as client:
        assert list(client.nthreads().values()) == [2]
    path.write_text('workers = 1\n[job]\nquue = "cpu"\n')
    with pytest.raises(ConfigError, match=r"slurm\.toml: dask_jobqueue.SLURMCluster does not take .*quue"):
        connect(f"slurm:{path}")


@pytest.mark.parametrize("there", ["0.0.1", ModuleNotFoundError("no wirsung")])
def test_workers_with_another_version_are_refused(there):
    class Client:
        """A cluster whose workers have another Wirsung; the versions of real ones can't be chosen."""

        def wait_for_workers(self, count, timeout):
            assert count == 1

        def run(self, function, on_error):
            return {"tcp://worker:1": there}

        def run_on_scheduler(self, function):
            return function()

        def register_plugin(self, plugin):
            pass

    said = "Wirsung 0.0.1" if isinstance(there, str) else "no Wirsung that works"
    with pytest.raises(ConfigError, match=f"tcp://worker:1 has {said}.* Install the same everywhere"):
        schedulers._prepared(Client(), "tcp://scheduler:1", 1)
