"""Workers of a cluster that die, stall, wake up, come and go, on a real Kafka.

The numbers are those of the fault scenarios in docs/TESTING.md. After each test the oracle
(oracle.py) recomputes outputs, state, progress and claims.
"""

import random
import shutil
import time
from pathlib import Path

import pytest

from chaos import CRASH_POINTS, Nemesis
from cluster import wait_until
from oracle import check, check_claims


def is_stopped(process):
    """By a signal that it sent itself."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return "State:\tT" in status


def claims_of(scene):
    return check_claims(scene.kafka, scene.name)


def test_kills_in_bursts_and_all_at_once(scene):
    """1: kill -9 at random times, in bursts, then all workers at once, twice."""
    scene.cast().play(rate=4000)
    nemesis, chance = Nemesis(scene.cluster, 3), random.Random(4)
    for _ in range(3):
        for _ in range(3):
            nemesis.kill_worker()
            time.sleep(chance.uniform(0.05, 0.6))
        time.sleep(chance.uniform(0.5, 2))
    for _ in range(2):
        nemesis.kill_all_workers()
        time.sleep(chance.uniform(1, 3))
    scene.flows()
    check(scene)
    for worker in scene.cluster.workers.values():
        assert "wiped" not in worker.text()  # a crash never costs local state


def test_crash_points_of_a_worker(scene):
    """2: killed at each named point while two others run; its tasks go on and come back to it."""
    scene.cast(workers=2).play(partitions=4)
    victim = scene.cluster.workers["w1"]
    missed = []
    for point in CRASH_POINTS:
        victim.kill()
        if point == "restore_commit":  # a restore worth the name
            shutil.rmtree(scene.folder / "state-w1")
        victim.start({"MILLRACE_FAILPOINT": f"{point}:{2 if 'produce' in point else 1}"})
        try:
            wait_until(lambda: not victim.alive(), 15, what=point)
        except AssertionError:
            missed.append(point)
    victim.kill()
    victim.start()
    scene.flows()
    check(scene)
    assert not missed, f"{missed} were not passed"


def test_a_zombie_commits_nothing_and_comes_back(scene):
    """3: SIGSTOP past the reassignment, SIGCONT once the new owners have committed."""
    scene.cast().play()
    zombie = scene.cluster.workers["w1"]
    mine, pid = scene.owned_by("w1"), zombie.process.pid
    assert mine
    zombie.pause()
    mark = scene.mark()
    for partition in mine:
        scene.reader.first_after(partition, mark)
    assert not scene.owned_by("w1")
    before = claims_of(scene)
    zombie.resume()
    wait_until(lambda: scene.owned_by("w1"), 30, what="tasks for the one that woke up")
    scene.cluster.wait_running(scene.partitions)
    scene.flows()
    assert zombie.alive() and zombie.process.pid == pid
    check(scene)  # no (epoch, incarnation) commits again after it was replaced
    after = claims_of(scene)
    assert all(after[task] - before[task] <= 3 for task in after), (before, after)  # nobody loops


def test_an_owner_that_initialises_late(scene):
    """4: it stalls between the assignment and its first init_transactions, and wakes up behind the
    next owner: that one is disturbed at most once, and keeps the task."""
    scene.cast(workers=2).play()
    late = scene.cluster.worker(threads=1, start=False)
    late.start({"MILLRACE_FAILPOINT": "claim_before_init:1:stop"})
    wait_until(lambda: is_stopped(late), 30, what="the stall")
    scene.flows()  # others run what it was to have
    before = claims_of(scene)
    late.resume()
    wait_until(lambda: scene.owned_by(late.name), 30, what="its share")
    scene.cluster.wait_running(scene.partitions)
    scene.flows()
    check(scene)
    after = claims_of(scene)
    assert all(after[task] - before.get(task, 0) <= 3 for task in after), (before, after)


def test_a_transaction_that_times_out(scene):
    """10: EndTxn is held back until the broker has given the transaction up (10 s, looked at every
    10 s). The lane finds itself fenced and starts over under a new incarnation."""
    scene.cast(workers=1).play(rate=1000)
    other = scene.cluster.worker(threads=1, start=False)
    other.start({"MILLRACE_FAILPOINT": "before_end_txn:30:sleep=23000"})
    wait_until(lambda: scene.owned_by(other.name), 30, what="tasks to move")
    wait_until(lambda: "incarnation" in other.text(), 60, what="a new incarnation")
    scene.flows()
    check(scene)
    assert other.alive()


def test_a_storm_of_workers(scene):
    """13: workers come and go, killed or drained or restarted, between 1 and 5."""
    scene.cast(workers=1, options=("--grace", "2s")).play(rate=3000, standbys=1)
    chance, cluster = random.Random(8), scene.cluster
    begun = time.monotonic()
    for index in range(14):
        present = [worker for worker in cluster.workers.values() if worker.alive()]
        if len(present) < 2 or (len(present) < 5 and chance.random() < 0.6):
            cluster.worker(f"s{index}", threads=1)
        else:
            victim = chance.choice(present)
            if chance.random() < 0.5:
                victim.kill()
            else:
                assert victim.stop(60) == 0, victim.text()[-3000:]
        time.sleep(chance.uniform(0.3, 2.5))
    scene.cluster.wait_running(scene.partitions)
    scene.flows()
    longest = scene.reader.longest_gap(begun)
    check(scene)
    assert longest < 8, f"a partition had no owner for {longest:.1f} s"
    for worker in cluster.workers.values():
        assert "LOCK" not in worker.text(), worker.text()[-3000:]


@pytest.mark.parametrize("jump", [3600, -3600], ids=["forward", "back"])
def test_a_clock_that_jumps(scene, jump, clock):
    """15: the wall clock of one worker and of the coordinator jumps by an hour: nobody is taken for
    silent, and no task moves."""
    scene.cast(workers=1, environment=clock.environment())
    scene.cluster.coordinators[0].kill()
    scene.cluster.coordinators[0].start(clock.environment())
    scene.cluster.worker(threads=1)
    scene.present(2)
    scene.play(rate=1000)
    before = scene.owners()
    epochs = {task["partition"]: task["epoch"] for task in scene.cluster.tasks()}
    clock.jump(jump)
    time.sleep(4)
    scene.flows()
    assert scene.owners() == before
    assert {task["partition"]: task["epoch"] for task in scene.cluster.tasks()} == epochs
    check(scene)
