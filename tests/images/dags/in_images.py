"""Dags that run in the images: one with pandas, a slow one, and one that tries what a hostile task could."""

import os
import time

from airflow.sdk import Param, dag, task


@dag(schedule=None)
def frames():
    @task
    def made():
        import pandas

        return pandas.DataFrame({"city": ["Ulm", "Köln", "Ulm"], "litres": [1, 2, 3]})

    @task
    def summed(frame) -> None:
        assert frame.groupby("city")["litres"].sum().to_dict() == {"Ulm": 4, "Köln": 2}
        assert os.getuid() == 50000

    summed(made())


@dag(schedule=None, params={"seconds": Param(8, type="number")})
def slow():
    @task
    def works(params=None) -> None:
        open("/var/lib/tradewind/mark.began", "w").close()
        time.sleep(params["seconds"])
        open("/var/lib/tradewind/mark.ended", "w").close()

    works()


@dag(schedule=None)
def hostile():
    @task
    def tries() -> None:
        # fails where it gets at what is the agent's
        import signal
        from pathlib import Path

        assert (os.getuid(), os.getgid(), os.getgroups()) == (50001, 50001, [50001])
        state = Path("/var/lib/tradewind")
        users = {
            int(path.parent.name): path.read_text().partition("Uid:")[2].split()[0]
            for path in Path("/proc").glob("[0-9]*/status")
        }
        assert sorted(set(users.values())) == ["0", "50000", "50001"], users
        agents = [pid for pid, uid in users.items() if uid != "50001"]
        tried = {
            "read the token": lambda: Path("/run/token").read_bytes(),
            "list the state": lambda: os.listdir(state),
            "add to the state": lambda: (state / "mine").touch(),
            "replace the socket": lambda: (state / "gateway.sock").unlink(),
            "remove what others have in /tmp": lambda: Path("/tmp/of-root").unlink(),
            **{
                f"read {name}": lambda name=name: (state / name).read_bytes()
                for name in ("agent-key", "site.key", "outbox.sqlite")
            },
            **{f"list {name}": lambda name=name: os.listdir(state / name) for name in ("ledger", "logs")},
            **{
                f"read the memory of {pid}": lambda pid=pid: open(f"/proc/{pid}/mem", "rb").read(1)
                for pid in agents
            },
            **{f"stop {pid}": lambda pid=pid: os.kill(pid, signal.SIGTERM) for pid in agents},
        }
        for what, deed in tried.items():
            try:
                deed()
            except PermissionError:
                continue
            raise AssertionError(f"a task could {what}")
        (state / "xcom" / "mark.tried").touch()

    tries()


frames()
slow()
hostile()
