"""Faults that are preloaded into processes (tests/support/*_faults.c), and switched by files."""

import mmap
import struct

from millrace import BUILD


class Switch:
    """A file that the preloaded library maps."""

    def __init__(self, library, path, content):
        self.library = BUILD / "bin" / library
        assert self.library.exists(), f"{self.library} is missing: run script/build dev"
        path.write_bytes(content)
        self.path = path
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), len(content))


class ClockFaults(Switch):
    def __init__(self, folder):
        super().__init__("clock_faults.so", folder / "clock-offset", struct.pack("<q", 0))

    def environment(self):
        return {"LD_PRELOAD": str(self.library),
                "MILLRACE_CLOCK_FILE": str(self.path)}

    def jump(self, seconds):
        self.map[:] = struct.pack("<q", seconds)


class DiskFaults(Switch):
    """For files below a folder."""

    NONE, FULL, WRITE, SYNC, READ, SLOW = b"-SEFRW"

    def __init__(self, folder, below):
        super().__init__("disk_faults.so", folder / "disk-fault", b"-")
        self.below = below

    def environment(self):
        return {"LD_PRELOAD": str(self.library),
                "MILLRACE_DISK_FILE": str(self.path), "MILLRACE_DISK_FOLDER": str(self.below)}

    def set(self, fault):
        self.map[0] = fault
