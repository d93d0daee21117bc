"""Workers that come, leave and restart: what moves, what stops meanwhile, and for how long.

Three ways to leave: silence (killed), restart (SIGTERM, back within the grace), drain. Times are
generous: the tests share a small machine; bench/failover.py measures.
"""

import time

from cluster import wait_until
from oracle import check


def settled(scene, workers, seconds=60):
    """Until the tasks are spread evenly and nothing moves."""
    def even():
        tasks = [task for task in scene.cluster.tasks() if task["role"] == "active"]
        counts = {name: 0 for name in workers}
        for task in tasks:
            if task["worker"] not in counts or task["moving_to"] or task["state"] != "running":
                return False
            counts[task["worker"]] += 1
        return max(counts.values()) - min(counts.values()) <= 1
    wait_until(even, seconds, 0.2, "an even spread")


def test_silence_hands_tasks_over_at_once(scene):
    """A killed worker's tasks run elsewhere within seconds; nobody waits for its return."""
    scene.cast().play()
    victim, before = "w0", scene.owners()
    mine = scene.owned_by(victim)
    mark = scene.killed(scene.cluster.workers[victim])
    seconds = [scene.reader.first_after(partition, mark) for partition in mine]
    print("first output elsewhere after", [round(one, 2) for one in seconds])
    assert max(seconds) < 6 + scene.feed.longest_pause(mark[0])
    after = scene.owners()
    assert all(after[p] != victim for p in mine)
    assert all(after[p] == before[p] for p in before if p not in mine)
    states = {worker["name"]: worker["state"] for worker in scene.workers()}
    assert states.get(victim, "gone") == "gone"
    check(scene)


def test_a_restart_within_its_grace_moves_no_task(scene):
    """SIGTERM: everything is committed and released, exit 0; its tasks wait for its return."""
    scene.cast().play()
    worker, before = scene.cluster.workers["w1"], scene.owners()
    begun = time.monotonic()
    assert worker.stop() == 0, worker.text()[-2000:]
    time.sleep(2)
    worker.start()
    scene.flows()
    assert scene.owners() == before
    others = [p for p in before if before[p] != "w1"]
    gap = max(scene.reader.gaps(begun, time.monotonic(), others).values())
    assert gap < 2.5 + scene.feed.longest_pause(begun)
    restored = [line for line in worker.text().splitlines() if "task restored" in line]
    assert all("replayed_records=0" in line for line in restored), restored
    check(scene)


def test_a_drain_moves_tasks_first(scene):
    """Its tasks run elsewhere before it ends, by itself, with 0; it gets none back."""
    scene.cast(workers=2)
    leaving = scene.cluster.worker("leaving", "--exit-when-drained", threads=1)
    scene.present(3)
    scene.play()
    assert scene.owned_by("leaving")
    scene.cluster.post("/v1/workers/leaving/drain")
    assert leaving.process.wait(60) == 0, leaving.text()[-2000:]
    assert not scene.owned_by("leaving")
    scene.flows()
    check(scene)


def test_a_fourth_worker_takes_its_share_and_stops_no_other(scene):
    """48 tasks on 3 workers: at most 12 move to the new one."""
    scene.cast().play(partitions=48, rate=3000, keys=2000)
    settled(scene, ["w0", "w1", "w2"])
    before, quiet = scene.owners(), time.monotonic()
    time.sleep(4)
    begun = time.monotonic()
    scene.cluster.worker("w3", threads=1)
    settled(scene, ["w0", "w1", "w2", "w3"])
    scene.flows()
    until, after = time.monotonic(), scene.owners()
    moved = [p for p in before if before[p] != after[p]]
    stayed = [p for p in before if before[p] == after[p]]
    assert 0 < len(moved) <= 12 and all(after[p] == "w3" for p in moved), moved
    gaps = scene.reader.gaps(begun, until)
    print("moved", {p: round(gaps[p], 2) for p in moved},
          "stayed, longest", round(max(gaps[p] for p in stayed), 2),
          "before", round(scene.reader.longest_gap(quiet, begun), 2))
    busy = max(gaps[p] for p in stayed) / scene.reader.longest_gap(quiet, begun)
    assert busy < 4 or max(gaps[p] for p in stayed) < 2.5
    check(scene)


def roll(scene):
    """Restart all workers one after the other; gap of a task's output beside its restart's time."""
    found = []
    for name, worker in sorted(scene.cluster.workers.items()):
        mine, begun = scene.owned_by(name), time.monotonic()
        assert worker.stop() == 0, worker.text()[-2000:]
        worker.start()
        scene.present(len(scene.cluster.workers))
        took = time.monotonic() - begun
        scene.cluster.wait_running(scene.partitions)
        scene.flows()
        gap = max(scene.reader.gaps(begun, time.monotonic(), mine).values(), default=0)
        gap -= scene.feed.longest_pause(begun)
        print(f"{name}: restarted in {took:.2f} s, longest gap of its tasks {gap:.2f} s")
        found.append((took, gap))
    return found


def test_a_rolling_restart_moves_no_task(scene):
    """Each task stops for its worker's restart and no longer than a second more."""
    scene.cast().play()
    before = scene.owners()
    for took, gap in roll(scene):
        assert gap < took + 2
    assert scene.owners() == before
    check(scene)


def test_a_rolling_restart_with_warm_standbys(scene):
    """Tasks go on on their standbys meanwhile."""
    scene.cast().play(standbys=1)
    for _, gap in roll(scene):
        assert gap < 3
    check(scene)
