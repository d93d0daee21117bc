"""Disks that fail under a worker of a cluster, and local state that is not what it was.

The numbers are those of the fault scenarios in docs/TESTING.md; more damage is done to the state
of `millrace run` in test_faults.py.
"""

import re
import shutil
import socket
import struct
import sys
import time

import millrace
from cluster import Refused, wait_until
from oracle import changelog_of, check, stream
from preload import DiskFaults
from stage import configure

sys.path.insert(0, str(millrace.ROOT / "tests" / "support"))
from kafka_proxy import read_frame  # noqa: E402


def states(scene):
    return sorted({task["state"] or "unknown" for task in scene.cluster.tasks()})


def resumed(scene):
    """What has failed is told to try again, as its reason says, until it runs."""
    def runs():
        tasks = scene.cluster.tasks()
        if any(task["state"] == "failed" for task in tasks):
            try:
                scene.cluster.post(f"/v1/topologies/{scene.name}/resume")
            except Refused:
                pass
        return all(task["state"] == "running" for task in tasks)
    wait_until(runs, 60, 0.3, "running tasks")


def test_disks_that_fail_at_a_restart(scene, tmp_path):
    """11: a full disk, and errors of write, fsync and read, while a worker stops and starts. It
    says so and goes on when the disk does; nothing is lost, and no other worker suffers."""
    scene.cast(workers=1)
    disk = DiskFaults(tmp_path, scene.folder / "state-far")
    far = scene.cluster.worker("far", threads=1, environment=disk.environment())
    scene.present(2)
    scene.play(keys=3000)
    for fault in (disk.FULL, disk.WRITE, disk.SYNC, disk.READ):
        others = [p for p, worker in scene.owners().items() if worker != "far"]
        begun = time.monotonic()
        disk.set(fault)
        codes = [far.stop()]
        far.start()
        time.sleep(4)
        codes.append(far.process.poll())
        print(chr(fault), "exits", codes, states(scene))
        # -6: RocksDB 7.8 of Debian asserts that nobody goes on with a file that was not written
        assert all(code in (0, 1, None) or (code == -6 and "rocksdb::" in far.text())
                   for code in codes), far.text()[-2000:]
        gap = max(scene.reader.gaps(begun, time.monotonic(), others).values())
        assert gap < 5 + scene.feed.longest_pause(begun)
        disk.set(disk.NONE)
        if not far.alive():
            far.start()
        scene.present(2)
        resumed(scene)
        scene.flows()
    check(scene)


def test_a_slow_disk(scene, tmp_path):
    """11: every fsync takes 300 ms."""
    disk = DiskFaults(tmp_path, scene.folder / "state-far")
    scene.cast(workers=1)
    scene.cluster.worker("far", threads=1, environment=disk.environment())
    scene.present(2)
    disk.set(disk.SLOW)
    scene.play(keys=3000)
    time.sleep(3)
    scene.flows()
    check(scene)


def restored(worker):
    """Records replayed by each restore of the worker's last life, by partition."""
    life = worker.text().rsplit("the worker has started", 1)[1]
    return {int(partition): int(records) for partition, records in
            re.findall(r"partition=(\d+) replayed_records=(\d+)", life)}


def test_state_folders_that_are_not_what_they_were(scene):
    """11: a copy of an older time replays from its own offset; a folder that is gone and tables
    that are cut are restored in full."""
    scene.cast(workers=2).play(keys=3000)
    worker, folder = scene.cluster.workers["w0"], scene.folder / "state-w0"
    older = scene.folder / "older"

    def again(change):
        assert worker.stop() == 0, worker.text()[-2000:]
        change()
        worker.start()
        scene.present(2)
        scene.cluster.wait_running(scene.partitions)
        scene.flows()
        return restored(worker)

    def put_back():
        shutil.rmtree(folder)
        shutil.copytree(older, folder)

    def cut_tables():
        for table in folder.rglob("*.sst"):
            with open(table, "r+b") as file:
                file.truncate(table.stat().st_size // 2)

    assert set(again(lambda: shutil.copytree(folder, older)).values()) == {0}
    time.sleep(3)
    behind = again(put_back)
    assert min(behind.values()) > 0 and "wiped" not in worker.text()
    gone = again(lambda: shutil.rmtree(folder))
    assert all(gone[partition] >= behind[partition] for partition in gone), (gone, behind)
    cut = again(cut_tables)
    assert "wiped" in worker.text() and min(cut.values()) > 0, worker.text()[-3000:]
    check(scene)


def delete_records(scene, topic):
    """The first half of each partition, by a request of our own (confluent-kafka's crashed)."""
    name, ends = topic.encode(), scene.kafka.ends(topic)
    body = struct.pack(">hhih5s", 21, 1, 1, 5, b"chaos")
    body += struct.pack(f">ih{len(name)}si", 1, len(name), name, len(ends))
    for partition, end in ends.items():
        body += struct.pack(">iq", partition, end // 2)
    body += struct.pack(">i", 10000)
    with socket.create_connection(("127.0.0.1", scene.kafka.port), 10) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = read_frame(connection)
    codes = [code for _, _, code in struct.iter_unpack(">iqh", answer[-14 * len(ends):])]
    assert codes == [0] * len(ends), codes


def test_a_changelog_that_was_cut(scene):
    """12: somebody let Kafka delete a changelog's records while its owner was away without its
    state. What they held is gone: the topology stops with the reason, never in silence."""
    scene.cast(workers=1).play(partitions=2, keys=500)
    worker = scene.cluster.workers["w0"]
    assert worker.stop() == 0
    shutil.rmtree(scene.folder / "state-w0")
    changelog = changelog_of(scene.cluster, scene.kafka)
    configure(scene.kafka, changelog, cleanup_policy="compact,delete")  # refused without
    delete_records(scene, changelog)
    worker.start()

    def stopped():
        topology = scene.cluster.get(f"/v1/topologies/{scene.name}")
        return topology["reason"] if topology["health"] == "failed" else None
    reason = wait_until(stopped, 30, what="a stop with the reason")
    assert changelog in reason, reason


def test_a_changelog_that_was_compacted_past_the_stored_offset(scene):
    """12: the offset that an old folder ends at is no record any more: it goes on from there."""
    scene.cast(workers=2).play(partitions=2, rate=3000, keys=50)
    worker, folder = scene.cluster.workers["w0"], scene.folder / "state-w0"
    mine, = scene.owned_by("w0")
    changelog = changelog_of(scene.cluster, scene.kafka)
    assert worker.stop() == 0
    shutil.copytree(folder, scene.folder / "older")
    worker.start()
    scene.flows()
    configure(scene.kafka, changelog, segment_ms=1000, min_cleanable_dirty_ratio="0.01",
              max_compaction_lag_ms=1000)
    time.sleep(3)

    def compacted():
        end = scene.kafka.ends(changelog)[mine]
        return sum(1 for _ in stream(scene.kafka, changelog, mine)) < end / 2
    wait_until(compacted, 90, 1, "a compaction")
    assert worker.stop() == 0
    shutil.rmtree(folder)
    shutil.copytree(scene.folder / "older", folder)
    worker.start()
    scene.flows()
    assert "wiped" not in worker.text() and restored(worker)[mine] > 0
    check(scene)
