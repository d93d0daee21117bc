"""Writes the tables of docs/DETECTORS.md that say how detectors with their defaults find the
labelled anomalies of generate.timeseries, as evaluate.detection judges them.

    script/generators --figures
"""

import labelled

DOCUMENT = labelled.ROOT / "docs" / "DETECTORS.md"
BEGIN, END = "<!-- figures: script/generators --figures -->\n", "<!-- end of figures -->\n"
SPIKE, SHIFT = "spike", "level_shift"
RECORDS = [
    ("detect.robust_z", "field: value"), ("detect.zscore", "field: value"),
    ("detect.hampel", "field: value"), ("detect.iqr", "field: value"),
    ("detect.forecast", "field: value, season: none"), ("detect.ewma", "field: value"),
    ("detect.mahalanobis", "fields: [value]"), ("detect.spot", "field: value"),
    ("detect.dspot", "field: value"), ("detect.nearest", "field: value"),
]
CHANGES = [
    ("detect.robust_z", "field: value"), ("detect.zscore", "field: value"),
    ("detect.forecast", "field: value, season: none"), ("detect.ewma", "field: value"),
    ("drift.page_hinkley", "field: value"), ("drift.adwin", "field: value"),
    ("drift.kswin", "field: value"), ("spc.i_mr", "field: value"), ("spc.ewma", "field: value"),
    ("spc.cusum", "field: value"),
]


def share(number):
    return "-" if number is None else f"{number:.3f}"


def lines_of(rows, heads):
    yield "| " + " | ".join(heads) + " |"
    yield "| --- " * len(heads) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def by_records():
    for detector, options in RECORDS:
        for kind in (SPIKE, SHIFT):
            far, far_scores = labelled.judged(detector, kind, 8, options)
            near, _ = labelled.judged(detector, kind, 5, options)
            recall, threshold = labelled.recall_at(far_scores, 0.9)
            rate = labelled.false_rate(near)
            yield [f"`{detector}`", kind, share(far["precision"]), share(far["recall"]),
                   share(recall), f"{threshold:.2f}" if recall else "-", share(near["precision"]),
                   share(near["recall"]), f"{rate:.2g}",
                   share(labelled.bound(rate, 5) if rate else None)]
            print(detector, kind, flush=True)


def by_episodes():
    for detector, options in CHANGES:
        row = [f"`{detector}`"]
        for size in (8, 5):
            found, _ = labelled.judged(detector, SHIFT, size, options, tolerance="5s")
            delay = found["time_to_detect_mean"]
            row += [share(found["episode_recall"]), "-" if delay is None else f"{delay / 1e3:.1f}",
                    f"{found['false_alarms_per_hour']:.1f}"]
        yield row
        print(detector, "episodes", flush=True)


def main():
    records = "\n".join(lines_of(by_records(), [
        "detector", "kind", "8 sd: precision", "recall", "recall at precision 0.9",
        "from threshold", "5 sd: precision", "recall", "false positives", "bound of recall"]))
    episodes = "\n".join(lines_of(by_episodes(), [
        "detector", "8 sd: episodes found", "seconds to detect", "false alarms per hour",
        "5 sd: episodes found", "seconds to detect", "false alarms per hour"]))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}By records:\n\n{records}\n\nLevel shifts by episodes:\n\n"
                        f"{episodes}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
