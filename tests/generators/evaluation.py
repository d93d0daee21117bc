"""An independent reference of evaluate.detection, from its reference page: entries of a series are
sorted and told one after the other, and what is over is closed when the next one comes."""

import functools
from dataclasses import dataclass, field

EPISODES_MAX, KINDS_MAX, OTHERS = 8, 16, "(others)"
COUNTS = ("records", "true_positives", "false_positives", "false_negatives", "true_negatives",
          "tolerated", "episodes", "episodes_found", "false_alarms")


@dataclass
class Entry:
    time: int
    key: str = ""
    series: str = ""
    labelled: bool = False
    flagged: bool = False
    kind: str = ""
    id: str = ""
    is_alert: bool = False


@dataclass
class Episode:
    id: str
    kind: str
    first: int
    last: int = 0
    found: int = None
    records: list = field(default_factory=list)  # times of those that nothing has flagged
    count: int = 0
    flagged: int = 0
    series: str = ""


@dataclass
class Rules:
    tolerance: int = 0
    close_after: int = 3600000
    window: int = 3600000
    running: bool = False


class Series:
    """One series of a group; what it finds goes to tell(time, {count: change}, kind, episode)."""

    def __init__(self, rules, tell):
        self.rules, self.tell = rules, tell
        self.open, self.plain, self.alarm = [], [], None

    def close(self, episode, time):
        self.open.remove(episode)
        self.tell(time, {"episodes": 1, "episodes_found": int(episode.found is not None)},
                  episode.kind, episode)

    def pass_time(self, now):
        longest = max(self.rules.tolerance, self.rules.close_after)
        for episode in [one for one in self.open if one.last + longest < now]:
            self.close(episode, episode.last + longest)

    def reached(self, time):
        return [one for one in self.open if time <= one.last + self.rules.tolerance]

    def flag_plain(self, time):
        reached = self.reached(time)
        for episode in reached:
            episode.found = time if episode.found is None else episode.found
        if reached:
            self.tell(time, {"tolerated": 1})
            return
        again = self.alarm is not None and time <= self.alarm + self.rules.tolerance
        self.tell(time, {"false_positives": 1, "false_alarms": int(not again)})
        self.alarm = time

    def flag_labelled(self, episode, time):
        episode.flagged += 1
        episode.found = time if episode.found is None else episode.found
        self.tell(time, {"true_positives": 1, "false_negatives": -1}, episode.kind)

    def alert(self, time):
        for episode in self.open:
            if time in episode.records:
                episode.records.remove(time)
                self.flag_labelled(episode, time)
                return
        if time in self.plain:
            self.plain.remove(time)
            self.tell(time, {"true_negatives": -1})
        self.flag_plain(time)

    def labelled(self, entry):
        same = [one for one in self.open if (one.id, one.kind) == (entry.id, entry.kind)]
        if not same and len(self.open) == EPISODES_MAX:
            self.close(min(self.open, key=lambda one: one.last), entry.time)
        if not same:
            same = [Episode(entry.id, entry.kind, entry.time)]
            self.open += same
        episode = same[0]
        episode.last = entry.time
        episode.count += 1
        episode.records.append(entry.time)
        self.tell(entry.time, {"records": 1, "false_negatives": 1}, entry.kind)
        if entry.flagged:
            self.flag_labelled(episode, entry.time)

    def take(self, entry):
        self.pass_time(entry.time)
        if entry.is_alert:
            self.alert(entry.time)
        elif entry.labelled:
            self.labelled(entry)
        else:
            for episode in [one for one in self.open if one not in self.reached(entry.time)]:
                self.close(episode, entry.time)
            self.tell(entry.time, {"records": 1})
            if entry.flagged:
                self.flag_plain(entry.time)
            else:
                self.tell(entry.time, {"true_negatives": 1})
                self.plain.append(entry.time)


def share(part, rest):
    return part / (part + rest) if part + rest else None


def f1(hits, misses, alarms):
    whole = 2 * hits + misses + alarms
    return 2 * hits / whole if whole else None


def result(told, start, end):
    counts = dict.fromkeys(COUNTS, 0)
    delays, times = [], []
    for time, changes, _, episode in told:
        for name, change in changes.items():
            counts[name] += change
        if "records" in changes:
            times.append(time)
        if episode is not None and episode.found is not None:
            delays.append(episode.found - episode.first)
    hours = (max(times) - min(times)) / 3600e3 if times else 0
    found, lost = counts["episodes_found"], counts["episodes"] - counts["episodes_found"]
    positives, misses = counts["true_positives"], counts["false_negatives"]
    return {
        "window_start": start, "window_end": end, **counts,
        "precision": share(positives, counts["false_positives"]),
        "recall": share(positives, misses),
        "f1": f1(positives, misses, counts["false_positives"]),
        "episodes_missed": lost,
        "episode_precision": share(found, counts["false_alarms"]),
        "episode_recall": share(found, lost),
        "episode_f1": f1(found, lost, counts["false_alarms"]),
        "false_alarms_per_hour": counts["false_alarms"] / hours if hours > 0 else None,
        "time_to_detect_mean": sum(delays) / len(delays) if delays else None,
        "time_to_detect_max": max(delays) if delays else None,
    }


def kinds_of(told):
    """By kind: records, flagged, episodes, episodes_found, longest delay; the first 15 by name."""
    rows = {}
    for _, changes, kind, episode in told:
        if kind is None:
            continue
        if kind not in rows and len(rows) >= KINDS_MAX - 1:
            kind = OTHERS
        row = rows.setdefault(kind, [0, 0, 0, 0, None])
        row[0] += changes.get("records", 0)
        row[1] += changes.get("true_positives", 0)
        row[2] += changes.get("episodes", 0)
        row[3] += changes.get("episodes_found", 0)
        if episode is not None and episode.found is not None:
            row[4] = max(row[4] or 0, episode.found - episode.first)
    return rows


def tell(told, series, time, changes, kind=None, episode=None):
    told.append((time, changes, kind, episode))
    if episode is not None:
        episode.series = series


def evaluated(entries, rules):
    """(results, kinds, episodes) of entries in the order in which they came: a result by (key,
    window_end), the kinds likewise, and (key, series, episode) of all episodes."""
    groups, series = {}, {}
    ordered = sorted(entries, key=lambda one: (one.time, one.is_alert))  # stable
    for entry in ordered:
        told = groups.setdefault(entry.key, [])
        place = (entry.key, entry.series)
        if place not in series:
            series[place] = Series(rules, functools.partial(tell, told, entry.series))
        series[place].take(entry)
    for one in series.values():
        one.pass_time(float("inf"))
    results, kinds, episodes = {}, {}, []
    for key, told in groups.items():
        told.sort(key=lambda one: one[0] // rules.window)
        windows = sorted({one[0] // rules.window for one in told})
        for window in windows:
            here = [one for one in told if one[0] // rules.window == window
                    or rules.running and one[0] // rules.window < window]
            end = (window + 1) * rules.window
            start = (windows[0] if rules.running else window) * rules.window
            results[key, end] = result(here, start, end)
            kinds[key, end] = kinds_of(here)
        episodes += [(key, one[3].series, one[3]) for one in told if one[3] is not None]
    return results, kinds, episodes
