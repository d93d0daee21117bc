/* tests/conformance/operator_cases.h — the operators and options that operator_conformance.c
 * checks: a line for each registered type, and more where options change what is stored. */
#ifndef MR_TESTS_CONFORMANCE_OPERATOR_CASES_H
#define MR_TESTS_CONFORMANCE_OPERATOR_CASES_H

#include <stdbool.h>

struct operator_case {
    const char *type;
    const char *options; /* behind the name and type */
    const char *outputs; /* named outputs to read, divided by blanks; main is always read */
    bool reads_two;      /* inputs: [in, in2] */
    bool one_to_one;     /* every row comes out or is reported */
};

static const struct operator_case cases[] = {
    {"aggregate", "from: in, key: [k], aggregates: {size: count(), mean: avg(value)}", "", false,
     false},
    {"aggregate",
     "from: in, key: [k], emit: periodic, emit_every: 700ms, "
     "aggregates: {size: count(), p90: 'quantile(value, 0.9)'}",
     "", false, false},
    {"branch",
     "from: in, branches: [{name: high, where: 'value > 10.0'}, {name: low, where: 'value < 0.0'}]",
     "high low rest", false, true},
    {"buffer", "from: in, key: [k], max_records: 20, max_bytes: 3KiB", "", false, true},
    {"deduplicate", "from: in, key: [k], within: 200ms", "", false, false},
    {"detect.dspot",
     "from: in, key: [k], field: value, depth: 20, init: 50, level: 0.9, excesses: 17, rate: 0.02, "
     "on_missing: impute",
     "alerts", false, true},
    {"detect.dspot",
     "from: in, key: [k], field: value, depth: 5, tails: upper, init: 50, level: 0.9, "
     "excesses: 10, rate: 0.01, learn: always",
     "", false, true},
    {"detect.ensemble",
     "from: in, key: [k], fields: [value, second], warmup: 20, window: {count: 200}", "alerts",
     false, true},
    {"detect.ensemble",
     "from: in, key: [k], fields: [second, value, third], members: conformal, combine: rank, "
     "warmup: 20, window: {count: 50}",
     "alerts", false, true},
    {"detect.ensemble",
     "from: in, key: [k], fields: [second, value], members: as_is, combine: max, warmup: 5, "
     "window: {count: 20}",
     "alerts", false, true},
    {"detect.ewma", "from: in, key: [k], field: value", "alerts", false, true},
    {"detect.ewma", "from: in, key: [k], field: value, lambda: 1, baseline_decay: 0", "alerts",
     false, true},
    {"detect.ewma", "from: in, key: [k], field: value, order: event_time, max_waiting: 90",
     "alerts", false, false},
    {"detect.forecast", "from: in, key: [k], field: value, period: 7", "alerts", false, true},
    {"detect.forecast",
     "from: in, key: [k], field: value, season: multiplicative, period: 5, warmup: 10, learn: "
     "normal_only, on_missing: impute",
     "alerts", false, true},
    {"detect.forecast", "from: in, key: [k], field: value, season: none", "", false, true},
    {"detect.half_space_trees",
     "from: in, key: [k], fields: [value, second], trees: 5, depth: 6, window_size: 40", "alerts",
     false, true},
    {"detect.hampel", "from: in, key: [k], field: value, window: {count: 50}", "alerts", false,
     true},
    {"detect.hampel",
     "from: in, key: [k], field: value, window: {count: 11}, warmup: 3, learn: normal_only, "
     "calibrate: {conformal: 25, rate: 0.1}",
     "alerts", false, true},
    {"detect.iqr",
     "from: in, key: [k], field: value, window: {count: 21}, warmup: 6, suppress: {count: 3}",
     "alerts", false, true},
    {"detect.heartbeat", "from: in, key: [k], timeout: 45ms", "alerts", false, true},
    {"detect.heartbeat",
     "from: in, key: [k], timeout: 60ms, learned: {warmup: 10, gaps: 30, minimum: 1ms, factor: 1, "
     "quantile: 0.9}, forget_after: 2s",
     "alerts", false, true},
    {"detect.knn_cad", "from: in, key: [k], field: value, warmup: 30, shingle: 5, neighbours: 4",
     "alerts", false, true},
    {"detect.knn_cad",
     "from: in, key: [k], field: value, warmup: 21, shingle: 1, neighbours: 20, pause: 3, "
     "learn: normal_only, suppress: {count: 2}",
     "alerts", false, true},
    {"detect.isolation_forest",
     "from: in, key: [k], fields: [value, second], trees: 5, sample: 16, window: 40, step: 20, "
     "warmup: 16",
     "alerts", false, true},
    {"detect.isolation_forest",
     "from: in, key: [k], fields: [value], trees: 3, sample: 8, window: 16, step: 30, warmup: 8, "
     "drift: 0.2, threshold: 0.5, learn: always",
     "", false, true},
    {"detect.loda", "from: in, key: [k], fields: [value, second, third], cuts: 20, window_size: 64",
     "alerts", false, true},
    {"detect.mahalanobis", "from: in, key: [k], fields: [value, second]", "alerts", false, true},
    {"detect.mahalanobis", "from: in, key: [k], fields: [second, value, third], decay: 0.1",
     "alerts", false, true},
    {"detect.new_value", "from: in, key: [k], field: value, warmup: 30", "alerts", false, true},
    {"detect.new_value",
     "from: in, key: [k], field: value, max_values: 20, forget_after: 900ms, warmup: 5", "alerts",
     false, true},
    {"detect.rate", "from: in, key: [k], window: {tumbling: 250ms}, warmup: 2", "alerts late",
     false, false},
    {"detect.rate",
     "from: in, key: [k], window: {tumbling: 40ms, offset: 7ms}, lateness: 60ms, warmup: 5, decay: "
     "0.1, learn: normal_only, max_empty: 3",
     "alerts late", false, false},
    {"detect.rare_value", "from: in, key: [k], field: third, warmup: 30, decay: 0.5", "alerts",
     false, true},
    {"detect.rare_value", "from: in, key: [k], field: value, max_values: 50, forget_after: 2s",
     "alerts", false, true},
    {"detect.matrix_profile",
     "from: in, key: [k], field: value, subsequence: 5, window_size: 40, warmup: 20", "alerts",
     false, true},
    {"detect.matrix_profile",
     "from: in, key: [k], field: value, subsequence: 3, window_size: 12, warmup: 10, learn: "
     "normal_only, decay: 0",
     "", false, true},
    {"detect.nearest",
     "from: in, key: [k], field: value, warmup: 5, points: 20, shingle: 3, resolution: 0.1",
     "alerts", false, true},
    {"detect.nearest", "from: in, key: [k], field: value, decay: 0.01", "alerts", false, true},
    {"detect.random_cut_forest",
     "from: in, key: [k], fields: [value, second], trees: 1, sample: 16, shingle: 2, warmup: 2",
     "alerts", false, true},
    {"detect.relative_entropy",
     "from: in, key: [k], field: value, window: {count: 9}, range: {records: 12}, warmup: 2, "
     "hypotheses: 5",
     "alerts", false, true},
    {"detect.relative_entropy",
     "from: in, key: [k], field: value, window: {count: 12}, bins: 7, warmup: 5, "
     "range: {minimum: 0, maximum: 40}, learn: normal_only, "
     "calibrate: {conformal: 30, rate: 0.1}",
     "alerts", false, true},
    {"detect.robust_z", "from: in, key: [k], field: value, window: {count: 50}", "alerts", false,
     true},
    {"detect.robust_z",
     "from: in, key: [k], field: value, window: {count: 20}, warmup: 10, on_missing: impute, "
     "learn: "
     "normal_only, suppress: {time: 300ms}",
     "alerts", false, true},
    {"detect.spot", "from: in, key: [k], field: value, init: 100, level: 0.95, excesses: 20",
     "alerts", false, true},
    {"detect.spot",
     "from: in, key: [k], field: value, init: 50, level: 0.9, excesses: 10, rate: 0.02, "
     "suppress: {count: 2}",
     "alerts", false, true},
    {"detect.spot",
     "from: in, key: [k], field: value, tails: lower, init: 60, level: 0.8, excesses: 20, "
     "rate: 0.01, learn: always",
     "", false, true},
    {"detect.seasonal_esd", "from: in, key: [k], field: value, period: 4, periods: 3, step: 5",
     "alerts", false, true},
    {"detect.seasonal_esd",
     "from: in, key: [k], field: value, period: 1, periods: 15, step: 1, hybrid: false, learn: "
     "normal_only, max_anomalies: 0.3",
     "", false, true},
    {"detect.spectral_residual",
     "from: in, key: [k], field: value, window_size: 32, score_window: 9", "alerts", false, true},
    {"detect.threshold", "from: in, field: value, above: 25.5, below: -3", "alerts", false, true},
    {"detect.zscore", "from: in, key: [k], field: value", "alerts", false, true},
    {"detect.zscore",
     "from: in, key: [k], field: value, on_missing: flag, suppress: {count: 3}, learn: never",
     "alerts", false, true},
    {"detect.zscore", "from: in, key: [k], field: value, decay: 0.02, as: other", "", false, true},
    {"detect.zscore",
     "from: in, key: [k], field: value, calibrate: {conformal: 40, rate: 0.05}, suppress: {count: "
     "2}",
     "alerts", false, true},
    {"detect.robust_z",
     "from: in, key: [k], field: value, window: {count: 30}, warmup: 10, learn: normal_only, "
     "calibrate: {spot: {init: 50, level: 0.8, excesses: 30}, rate: 0.01}",
     "alerts", false, true},
    {"detect.zscore", "from: in, key: [k], field: value, window: {count: 37}", "alerts", false,
     true},
    {"detect.zscore",
     "from: in, key: [k], field: value, window: {count: 40, step: 7}, deviation: population, "
     "warmup: 1",
     "alerts", false, true},
    {"drift.adwin", "from: in, key: [k], field: value", "alerts", false, true},
    {"drift.adwin",
     "from: in, key: [k], field: value, clock: 3, max_buckets: 2, min_window_length: 1, "
     "grace_period: 2, delta: 0.3",
     "alerts", false, true},
    {"drift.ddm", "from: in, key: [k], field: failed", "alerts", false, true},
    {"drift.ddm", "from: in, key: [k], field: failed, warm_start: 3", "", false, true},
    {"drift.eddm", "from: in, key: [k], field: failed, warm_start: 5", "alerts", false, true},
    {"drift.hddm_a", "from: in, key: [k], field: failed, two_sided_test: true", "alerts", false,
     true},
    {"drift.hddm_w", "from: in, key: [k], field: failed, two_sided_test: true", "alerts", false,
     true},
    {"drift.hddm_w", "from: in, key: [k], field: failed, lambda: 1", "", false, true},
    {"drift.kswin", "from: in, key: [k], field: value", "alerts", false, true},
    {"drift.kswin", "from: in, key: [k], field: value, window_size: 37, stat_size: 9, alpha: 0.1",
     "alerts", false, true},
    {"drift.page_hinkley", "from: in, key: [k], field: value", "alerts", false, true},
    {"drift.page_hinkley", "from: in, key: [k], field: value, alpha: 1, mode: down, delta: 0",
     "alerts", false, true},
    {"evaluate.detection",
     "from: in, key: [k], is_anomaly: failed, label: third, detection: found, "
     "window: {tumbling: 250ms}, tolerance: 40ms, close_after: 100ms, max_waiting: 100",
     "kinds episodes late", false, false},
    {"evaluate.detection",
     "from: in, key: [k], series: [third], is_anomaly: failed, label: third, anomaly_id: second, "
     "detection: found, window: {tumbling: 700ms}, running: true, max_waiting: 90",
     "kinds episodes late", false, false},
    {"filter", "from: in, where: 'value > 5.0'", "", false, false},
    {"flat_map", "from: in, field: tags, into: tag", "", false, false},
    {"generate.bootstrap",
     "learn: in, key: [k], fields: [value, second, third], learn_batch: 8, min_records: 20, "
     "reservoir: 16, ratio: 0.7, flip: 0.1",
     "", false, false},
    {"generate.bootstrap",
     "learn: in, key: [k], fields: [value], learn_batch: 50, min_records: 30, reservoir: 100, "
     "half_life: 300ms, ratio: 2, noise: 0.5",
     "", false, false},
    {"generate.bootstrap",
     "learn: in, key: [k], fields: [value, second], learn_batch: 10, min_records: 10, "
     "reservoir: 16, half_life: 50, conditions: [{field: value, gte: 15, lt: 1e100}, "
     "{field: second, lte: 1e100}]",
     "", false, false},
    {"generate.copula",
     "learn: in, key: [k], fields: [value, second, third], learn_batch: 8, min_records: 20, "
     "reservoir: 16, ratio: 0.7",
     "", false, false},
    {"generate.copula",
     "learn: in, key: [k], fields: [value], learn_batch: 50, min_records: 30, reservoir: 100, "
     "half_life: 300ms, ratio: 2",
     "", false, false},
    {"generate.copula",
     "learn: in, key: [k], fields: [value, second], learn_batch: 10, min_records: 10, "
     "reservoir: 16, half_life: 50, conditions: [{field: value, gte: 15, lt: 1e100}, "
     "{field: second, lte: 1e100}]",
     "", false, false},
    {"generate.copula",
     "learn: in, requests: in2, key: [k], fields: [value], learn_batch: 8, min_records: 20, "
     "reservoir: 16, ratio: 0.7",
     "replies", true, false},
    {"generate.copula",
     "learn: in, key: [k], fields: [value, second], learn_batch: 10, min_records: 10, "
     "reservoir: 16, learn_window: {count: 80}, privacy: {no_copies: 50, distance: 0.1}",
     "", false, false},
    {"generate.copula",
     "learn: in, key: [k], fields: [value, second], learn_batch: 10, min_records: 5, "
     "reservoir: 32, learn_window: {sliding: 2s}, ratio: 0.5",
     "", false, false},
    {"generate.model",
     "models: in, requests: in2, key: [k], fields: [value], max_model_bytes: 1KiB", "replies", true,
     false},
    {"generate.markov", "learn: in, key: [k], field: failed, keys: 4, min_records: 20", "", false,
     false},
    {"generate.markov",
     "learn: in, key: [k], field: defects, chain_order: 2, states: 2, keys: 4, min_records: 10, "
     "half_life: 50",
     "", false, false},
    {"join.interval",
     "left: in, right: in2, key: [k], interval: {before: 100ms, after: 50ms}, max_rows: 12", "late",
     true, false},
    {"join.interval",
     "left: in, right: in2, key: [k], interval: {before: 8ms}, kind: outer, lateness: 9ms, "
     "set: {l: 'has(left.value) ? left.value : 0.0'}",
     "left_only right_only late", true, false},
    {"join.lookup", "from: in, table: in2, key: [k], kind: left", "", true, false},
    {"join.table", "from: in, table: in2, key: [k]", "", true, false},
    {"join.table", "from: in, table: in2, key: [k], join_wait: 50ms, max_waiting: 90", "", true,
     false},
    {"key_by", "from: in, key: [k]", "", false, true},
    {"map", "from: in, set: {twice: 'value * 2.0', name: 'k + \"!\"'}, remove: [tags]", "", false,
     true},
    {"merge", "inputs: [in, in2]", "", true, true},
    {"model.merge",
     "from: in, key: [k], fields: [value], reservoir: 16, max_learners: 2, publish: {every: 0s}",
     "", false, false},
    {"quality.checkpoint",
     "from: in, key: [k], window: {count: 7}, max_wait: 300ms, max_records: 200, checks: "
     "[{name: a, field: value, expect: between, min: -20, max: 45, mostly: 0.8}, "
     "{name: b, field: third, expect: unique, mostly: 0.5}, "
     "{name: c, field: second, expect: mean_between, min: -0.5, severity: info}, "
     "{name: d, expect: row_count_between, min: 7}, {name: e, where: 'value < 40.0', mostly: "
     "0.7}]",
     "fail alerts results late", false, false},
    {"quality.checkpoint",
     "from: in, key: [k], window: {tumbling: 250ms}, lateness: 30ms, max_records: 250, checks: "
     "[{name: a, field: value, expect: not_null, mostly: 0.9}, {name: b, field: value, expect: "
     "max_between, max: 60}, {name: c, field: third, expect: stdev_between, max: 2}, {name: d, "
     "field: k, expect: matches, pattern: '[1-9]'}]",
     "fail alerts results late", false, false},
    {"quality.rules",
     "from: in, checks: [{name: a, field: value, expect: between, min: -20, max: 45}, "
     "{name: b, field: value, expect: not_null}, {name: c, field: k, expect: matches, pattern: "
     "'^0'}, {name: d, field: value, expect: in_set, values: ['7.25', x]}, "
     "{name: e, field: tags, expect: type, of: list}, {name: f, where: 'value < second'}]",
     "alerts", false, true},
    {"quality.score",
     "from: in, key: [k], fields: [value, second], window: {count: 40}, warmup: 10, every: 50ms, "
     "threshold: 0.9",
     "alerts", false, true},
    {"quality.score",
     "from: in, key: [k], detectors: [duplicates], identity: [third, failed], window: {count: 20}, "
     "warmup: 5, every: 0s",
     "alerts", false, true},
    {"quality.duplicates", "from: in, key: [k], fields: [value, third], window: {sliding: 300ms}",
     "duplicates alerts", false, true},
    {"quality.duplicates", "from: in, key: [k], fields: [third], window: {count: 40}", "duplicates",
     false, true},
    {"quality.duplicates",
     "from: in, key: [k], fields: [third], window: {sliding: 300ms}, bloom: {rate: 0.01, capacity: "
     "300, lateness: 50ms}",
     "duplicates", false, true},
    {"quality.duplicates",
     "from: in, key: [k], fields: [value], window: {count: 60}, bloom: {rate: 0.1}", "", false,
     true},
    {"quality.profile",
     "from: in, key: [k], fields: [value, second, third], window: {tumbling: 250ms}, lateness: "
     "40ms, valid: {value: 'value < 50.0'}, unique: [third], fresh_within: 100ms",
     "late alerts", false, false},
    {"quality.profile",
     "from: in, key: [k], fields: [value, third], window: {hopping: 300ms, every: 100ms}, top: 2, "
     "precision: 8, threshold: 1",
     "late alerts", false, false},
    {"quality.profile", "from: in, key: [k], fields: [value], window: {count: 20, every: 5}",
     "alerts", false, false},
    {"quality.profile", "from: in, key: [k], fields: [value], window: {session: 30ms}", "late",
     false, false},
    {"quality.synthetic",
     "real: in, synthetic: in2, key: [k], fields: [value, second, third], window: {tumbling: "
     "250ms}, lateness: 40ms, rows: 12, min_records: 3, distances: true",
     "alerts", true, false},
    {"quality.synthetic",
     "real: in, synthetic: in2, key: [k], fields: [value, third], window: {hopping: 300ms, every: "
     "100ms}, rows: 10, threshold: 1, kinds: {value: ordinal}",
     "alerts", true, false},
    {"quality.synthetic",
     "real: in, synthetic: in2, key: [k], fields: [value], window: {session: 30ms}, rows: 10", "",
     true, false},
    {"rank", "from: in, key: [k], sort_by: [{by: value}]", "late", false, false},
    {"rank", "from: in, key: [k], sort_by: [{by: value, descending: true}], count: 5, into: place",
     "late", false, false},
    {"rank",
     "from: in, key: [k], sort_by: [{by: 'value > 20.0'}], count: 3, ties: true, emit: close, "
     "until: '1700000000000 + int(k.substring(0, 8)) * 200'",
     "late", false, false},
    {"sort", "from: in, key: [k], max_records: 90", "late", false, false},
    {"spc.c", "from: in, key: [k], field: defects", "alerts", false, true},
    {"spc.c", "from: in, key: [k], field: defects, limits: {cl: 1}, baseline: exponential",
     "alerts", false, true},
    {"spc.capability", "from: in, key: [k], field: value, subgroup: {count: 25}, lsl: 0, usl: 40",
     "alerts", false, false},
    {"spc.capability",
     "from: in, key: [k], field: value, subgroup: {window: 300ms}, usl: 30, within: range, "
     "within_size: 3, index: ppk",
     "alerts late", false, false},
    {"spc.capability",
     "from: in, key: [k], field: value, subgroup: {field: third}, lsl: -5, within: deviation, "
     "running: true",
     "", false, false},
    {"spc.cusum", "from: in, key: [k], field: value", "alerts", false, true},
    {"spc.cusum",
     "from: in, key: [k], field: value, limits: {cl: 20, sigma: 5}, head: 0.5, restart: true, "
     "baseline: exponential, learn: always",
     "", false, true},
    {"spc.ewma", "from: in, key: [k], field: value", "alerts", false, true},
    {"spc.ewma",
     "from: in, key: [k], field: value, limits: {cl: 20, sigma: 5}, lambda: 0.05, steady: true, "
     "baseline: exponential",
     "", false, true},
    {"spc.i_mr", "from: in, key: [k], field: value, rules: [western_electric, nelson]", "alerts",
     false, true},
    {"spc.i_mr",
     "from: in, key: [k], field: value, phase1: {subgroups: 40, exclude: none}, baseline: "
     "cumulative, learn: always",
     "", false, true},
    {"spc.i_mr",
     "from: in, key: [k], field: value, limits: {cl: 20, ucl: 30, lcl: 5}, rules: [nelson]",
     "alerts", false, true},
    {"spc.mewma", "from: in, key: [k], fields: [value, second, third]", "alerts", false, true},
    {"spc.mewma",
     "from: in, key: [k], fields: [value, second], lambda: 0.3, run_length: 50, "
     "limits: {values: [{cl: 20, sigma: 5}, {cl: 0, sigma: 1}], "
     "correlations: [{first: value, second: second, is: -0.5}]}",
     "alerts", false, true},
    {"spc.np", "from: in, key: [k], field: defects, sample_size: 1000", "alerts", false, true},
    {"spc.np",
     "from: in, key: [k], field: defects, size: units, phase1: {subgroups: 40, exclude: none}, "
     "baseline: cumulative, learn: always",
     "alerts", false, true},
    {"spc.p", "from: in, key: [k], field: defects, size: units, rules: [western_electric, nelson]",
     "alerts", false, true},
    {"spc.p", "from: in, key: [k], field: defects, sample_size: 60, limits: {cl: 0.3}", "alerts",
     false, true},
    {"spc.p",
     "from: in, key: [k], field: defects, sample_size: 9, limits: {cl: 0.2, lcl: 0, ucl: 0.4}", "",
     false, true},
    {"spc.t2", "from: in, key: [k], fields: [value, second, third]", "alerts", false, true},
    {"spc.t2",
     "from: in, key: [k], fields: [second, value], alpha: 0.05, phase1: {subgroups: 40}, "
     "baseline: exponential, learn: always",
     "alerts", false, true},
    {"spc.t2", "from: in, key: [k], fields: [value], baseline: cumulative", "", false, true},
    {"spc.u", "from: in, key: [k], field: defects, size: units, baseline: cumulative", "alerts",
     false, true},
    {"spc.u", "from: in, key: [k], field: defects, sample_size: 2.5", "alerts", false, true},
    {"spc.xbar_r", "from: in, key: [k], field: value, subgroup: {count: 4}", "alerts", false,
     false},
    {"spc.xbar_r",
     "from: in, key: [k], field: value, subgroup: {window: 200ms}, phase1: {subgroups: 5}",
     "alerts late", false, false},
    {"spc.xbar_s",
     "from: in, key: [k], field: value, subgroup: {field: third}, phase1: {subgroups: 40}, "
     "rules: [western_electric]",
     "", false, false},
    {"spc.xbar_s",
     "from: in, key: [k], field: value, subgroup: {count: 12}, limits: {cl: 20, sigma: 5}, "
     "baseline: exponential",
     "alerts", false, false},
    {"spc.xbar_t2",
     "from: in, key: [k], fields: [value, second, third], subgroup: {count: 4}, "
     "baseline: cumulative",
     "alerts", false, false},
    {"spc.xbar_t2",
     "from: in, key: [k], fields: [value, second], subgroup: {window: 200ms}, "
     "phase1: {subgroups: 5, exclude: none}",
     "alerts late", false, false},
    {"spc.xbar_t2",
     "from: in, key: [k], fields: [second, value], subgroup: {field: third}, "
     "limits: {values: [{cl: 0, sigma: 1}, {cl: 20, sigma: 5}]}",
     "", false, false},
    {"voxel.aggregate",
     "from: in, key: [k], position: [third, value, second], signals: [value, second], "
     "origin: [0, 0, -2], bounds: [7, 40, 2], resolution: [1, 2.5, 0.5], every: 100ms, "
     "layer_timeout: 300ms",
     "changed layers outside", false, false},
    {"voxel.aggregate",
     "from: in, key: [k], position: [second, value, third], signals: [value], origin: [-2, 0, 0], "
     "bounds: [2, 40, 6], resolution: [0.125, 10, 1], every: 1s, lateness: 20ms",
     "changed layers", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {session: 60ms}, aggregates: {size: count(), "
     "total: sum(value)}",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {count: 12, every: 4}, aggregates: {size: count(), "
     "kinds: count_distinct(value)}, having: size > 2",
     "", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {tumbling: 250ms}, aggregates: {size: count(), "
     "total: sum(value), high: max(value), final: last(value)}",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {hopping: 1500ms, every: 500ms, offset: 7ms}, lateness: 20ms, "
     "aggregates: {size: count(), mean: avg(value)}, having: size > 2",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {hopping: 4s, every: 500ms}, emit: update, "
     "aggregates: {kinds: count_distinct(value), size: count()}",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {sliding: 900ms}, lateness: 5ms, "
     "aggregates: {size: count(), total: sum(value), high: max(value), final: last(value)}, "
     "having: size > 1",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {sliding: 700ms}, "
     "aggregates: {size: count(), some: 'collect(value, 3)', kinds: count_distinct(value)}",
     "late", false, false},
    {"window.aggregate",
     "from: in, key: [k], window: {tumbling: 2s}, emit: periodic, emit_every: 300ms, "
     "aggregates: {p90: 'quantile(value, 0.9)', low: min(value)}",
     "late", false, false},
};

struct generator_case {
    const char *type;
    const char *options;
};

static const struct generator_case generator_cases[] = {
    {"generate.bootstrap", "model: examples/models/machines.json, partitions: 2, count: 5000"},
    {"generate.copula", "model: examples/models/people.json, partitions: 2, count: 5000"},
    {"generate.copula", "model: examples/models/people.json, partitions: 2, count: 5000, seed: 9, "
                        "include_metadata: false, conditions: [{field: age, gte: 30, lt: 40}]"},
    {"generate.network", "model: examples/models/placements.json, partitions: 2, count: 5000"},
    {"generate.network",
     "model: tests/golden/operators/network_model.json, partitions: 2, count: 5000, seed: 9, "
     "include_metadata: false, conditions: [{field: kind, any_of: [rare]}, {field: count, gt: 4}]"},
    {"generate.markov",
     "partitions: 2, count: 5000, keys: 3, states: [{name: a, next: [b, a], weights: [3, 1], "
     "value: 5, value_sd: 1}, {name: b, next: [a], label: odd}]"},
    {"generate.markov",
     "partitions: 2, count: 5000, keys: 500, seed: 8, life: 40s, states: [{name: a, next: [b, c], "
     "start: 1, dwell: gamma, shape: 0.7}, {name: b, next: [a], dwell: lognormal, mean: 3s}, "
     "{name: c, dwell: fixed, mean: 1ms, start: 0.2}]"},
    {"generate.nexmark", "partitions: 2, count: 5000"},
    {"generate.nexmark", "partitions: 2, count: 250000, kind: person, seed: 5"},
    {"generate.nexmark", "partitions: 2, count: 5436, kind: bid, shuffle: 100"},
    {"generate.datagen",
     "partitions: 2, count: 5000, seed: 3, fields: [{name: id, rule: sequence, first: 5, last: "
     "99}, "
     "{name: m, rule: integer, maximum: 9}, {name: u, rule: uniform}, {name: z, rule: zipf, "
     "minimum: 1, maximum: 1e9}, {name: g, rule: normal, null_share: 0.5}, {name: b, rule: "
     "boolean}, "
     "{name: c, rule: choice, values: [a, b], weights: [1, 3]}, {name: d, rule: choice, by: c, "
     "cases: [{is: a, values: [x]}]}, {name: r, rule: regex, pattern: '[a-z]{2,}'}, {name: t, "
     "rule: "
     "template, text: '{id}-{r}'}, {name: e, rule: copy, of: u}, {name: i, rule: uuid}, {name: ts, "
     "rule: time, max_past: 1s}]"},
    {"generate.shuffle", "partitions: 2, count: 5000, record_bytes: 100"},
    {"generate.shuffle", "partitions: 2, count: 5000, record_bytes: 9, rules_count: 50, "
                         "total_selectivity: 9, skew: 0.8"},
    {"generate.timeseries", "partitions: 2, keys: 6, count: 5000, fields: [{name: v}]"},
    {"generate.timeseries",
     "partitions: 2, keys: 6, count: 5000, arrival: poisson, fields: ["
     "{name: v, ar: [0.5, 0.3], level_sd: 2, seasons: [{period: 1m}]}, {name: id, holds: "
     "anomaly_id}], anomalies: [{kind: gap, share: 0.05}, {kind: duplicate, share: 0.02}, "
     "{kind: reorder, share: 0.02, length: 9}, {kind: stuck, share: 0.1}, {kind: spike, share: "
     "0.1}]"},
    {"generate.random",
     "keys: 10, seed: 7, partitions: 2, count: 5000, fields: ["
     "{name: sensor, distribution: key}, {name: ts, distribution: time}, "
     "{name: value, distribution: normal, mean: 20, sd: 2, level_sd: 5, season: 3}, "
     "{name: u, distribution: uniform, minimum: -1, maximum: 1}, "
     "{name: die, distribution: integer, minimum: 1, maximum: 6}, "
     "{name: c, distribution: choice, values: [red, green]}, "
     "{name: i, distribution: sequence}, {name: bad, distribution: label}], "
     "anomalies: {share: 0.01, field: value}"},
    {"generate.random",
     "keys: 3, partitions: 2, count: 5000, fields: [{name: v, distribution: normal}, "
     "{name: bad, distribution: label}], anomalies: {share: 0.1, field: v, kind: shift}"},
    {"generate.sequence", "partitions: 2, count: 5000, first: -3"},
};

#endif
