"""What clocks read, by Python's zoneinfo: the reference for base/zone_file.c.

Usage: zone_reference.py. Per line: zone, instant in ms, the highest reading up to it in ms; or
zone, "first", a reading in ms, the first instant with it. Instants: 1970 to 2100, and around each
step.
"""

import bisect
import datetime
import random
import sys
import zoneinfo

ZONES = """Africa/Cairo Africa/Casablanca Africa/Monrovia America/Havana America/Nuuk
America/New_York America/Sao_Paulo America/St_Johns Antarctica/Troll Asia/Amman Asia/Gaza
Asia/Kathmandu Asia/Manila Asia/Pyongyang Asia/Tehran Asia/Tokyo Atlantic/Azores
Australia/Lord_Howe Australia/Sydney Etc/GMT-14 Europe/Berlin Europe/Dublin Europe/Lisbon
Europe/Moscow Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Kwajalein""".split()
UTC = datetime.timezone.utc
FIRST = datetime.datetime(1970, 1, 1, tzinfo=UTC)
DAYS = 131 * 365
DAY_MS = 86400000
EVERY = 5  # days: two steps are further apart


def offset_ms(zone, instant_ms):
    moment = FIRST + datetime.timedelta(seconds=instant_ms // 1000)
    return int(moment.astimezone(zone).utcoffset().total_seconds()) * 1000


def steps_of(zone):
    """(instant of a step, offset before it), found by halving."""
    steps = []
    before = offset_ms(zone, 0)
    for day in range(EVERY, DAYS, EVERY):
        after = offset_ms(zone, day * DAY_MS)
        if after != before:
            low, high = (day - EVERY) * DAY_MS // 1000, day * DAY_MS // 1000
            while high - low > 1:
                middle = (low + high) // 2
                if offset_ms(zone, middle * 1000) == before:
                    low = middle
                else:
                    high = middle
            steps.append((high * 1000, before))
        before = after
    return steps


def highest_reading(zone, steps, instant_ms):
    """Clocks are put back by a day at most: older steps say nothing."""
    near = steps[bisect.bisect(steps, (instant_ms - 3 * DAY_MS,)):
                 bisect.bisect(steps, (instant_ms + 1,))]
    return max([instant_ms + offset_ms(zone, instant_ms)] +
               [at - 1 + before for at, before in near])


def first_instant(zone, steps, reading_ms):
    """Of the instants whose clock reads it the earliest; of a skipped one the step."""
    found = [reading_ms - offset for offset in {offset_ms(zone, reading_ms + hours * 3600000)
                                                for hours in range(-30, 31, 6)}]
    found = [instant for instant in found
             if instant + offset_ms(zone, instant) == reading_ms]
    near = steps[bisect.bisect(steps, (reading_ms - 3 * DAY_MS,)):
                 bisect.bisect(steps, (reading_ms + 3 * DAY_MS,))]
    skipped = [at for at, before in near
               if at + before <= reading_ms < at + offset_ms(zone, at)]
    return min(found + skipped)


def main():
    chance = random.Random(4)
    lines = []
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        steps = steps_of(zone)
        instants = [chance.randrange(0, DAYS * DAY_MS) for _ in range(150)]
        for at, before in steps:
            jump = abs(offset_ms(zone, at) - before)
            instants += [at - 1, at, at + 1, at + jump - 1, at + jump, at + jump // 2,
                         at + chance.randrange(2 * DAY_MS)]
        for instant in instants:
            if instant < (DAYS - 3) * DAY_MS:
                lines.append(f"{name} {instant} {highest_reading(zone, steps, instant)}")
        readings = [chance.randrange(3, DAYS - 3) * DAY_MS for _ in range(100)]
        for at, before in steps:
            readings += [(at + before) // DAY_MS * DAY_MS, ((at + before) // DAY_MS + 1) * DAY_MS,
                         at + before, at + offset_ms(zone, at), at + before - 1]
        for reading in readings:
            if 3 * DAY_MS < reading < (DAYS - 3) * DAY_MS:
                lines.append(f"{name} first {reading} {first_instant(zone, steps, reading)}")
    sys.stdout.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
