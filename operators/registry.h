/* operators/registry.h — the operator tables by name: one per file of this folder.
 * Others find operators by mr_operators and mr_operator_find (operators/operator.h). */
#ifndef MR_OPERATORS_REGISTRY_H
#define MR_OPERATORS_REGISTRY_H

#include "operators/operator.h"

extern const struct mr_operator_type mr_operator_aggregate;
extern const struct mr_operator_type mr_operator_branch;
extern const struct mr_operator_type mr_operator_buffer;
extern const struct mr_operator_type mr_operator_deduplicate;
extern const struct mr_operator_type mr_operator_detect_dspot;
extern const struct mr_operator_type mr_operator_detect_ensemble;
extern const struct mr_operator_type mr_operator_detect_ewma;
extern const struct mr_operator_type mr_operator_detect_forecast;
extern const struct mr_operator_type mr_operator_detect_half_space_trees;
extern const struct mr_operator_type mr_operator_detect_hampel;
extern const struct mr_operator_type mr_operator_detect_heartbeat;
extern const struct mr_operator_type mr_operator_detect_iqr;
extern const struct mr_operator_type mr_operator_detect_isolation_forest;
extern const struct mr_operator_type mr_operator_detect_knn_cad;
extern const struct mr_operator_type mr_operator_detect_loda;
extern const struct mr_operator_type mr_operator_detect_mahalanobis;
extern const struct mr_operator_type mr_operator_detect_matrix_profile;
extern const struct mr_operator_type mr_operator_detect_nearest;
extern const struct mr_operator_type mr_operator_detect_new_value;
extern const struct mr_operator_type mr_operator_detect_random_cut_forest;
extern const struct mr_operator_type mr_operator_detect_rare_value;
extern const struct mr_operator_type mr_operator_detect_rate;
extern const struct mr_operator_type mr_operator_detect_relative_entropy;
extern const struct mr_operator_type mr_operator_detect_robust_z;
extern const struct mr_operator_type mr_operator_detect_seasonal_esd;
extern const struct mr_operator_type mr_operator_detect_spectral_residual;
extern const struct mr_operator_type mr_operator_detect_spot;
extern const struct mr_operator_type mr_operator_detect_threshold;
extern const struct mr_operator_type mr_operator_detect_zscore;
extern const struct mr_operator_type mr_operator_drift_adwin;
extern const struct mr_operator_type mr_operator_drift_ddm;
extern const struct mr_operator_type mr_operator_drift_eddm;
extern const struct mr_operator_type mr_operator_drift_hddm_a;
extern const struct mr_operator_type mr_operator_drift_hddm_w;
extern const struct mr_operator_type mr_operator_drift_kswin;
extern const struct mr_operator_type mr_operator_drift_page_hinkley;
extern const struct mr_operator_type mr_operator_filter;
extern const struct mr_operator_type mr_operator_flat_map;
extern const struct mr_operator_type mr_operator_generate_copula;
extern const struct mr_operator_type mr_operator_generate_nexmark;
extern const struct mr_operator_type mr_operator_generate_random;
extern const struct mr_operator_type mr_operator_generate_sequence;
extern const struct mr_operator_type mr_operator_generate_timeseries;
extern const struct mr_operator_type mr_operator_join_interval;
extern const struct mr_operator_type mr_operator_join_lookup;
extern const struct mr_operator_type mr_operator_join_table;
extern const struct mr_operator_type mr_operator_key_by;
extern const struct mr_operator_type mr_operator_map;
extern const struct mr_operator_type mr_operator_merge;
extern const struct mr_operator_type mr_operator_quality_checkpoint;
extern const struct mr_operator_type mr_operator_quality_rules;
extern const struct mr_operator_type mr_operator_quality_score;
extern const struct mr_operator_type mr_operator_quality_duplicates;
extern const struct mr_operator_type mr_operator_quality_profile;
extern const struct mr_operator_type mr_operator_rank;
extern const struct mr_operator_type mr_operator_sort;
extern const struct mr_operator_type mr_operator_spc_c;
extern const struct mr_operator_type mr_operator_spc_capability;
extern const struct mr_operator_type mr_operator_spc_cusum;
extern const struct mr_operator_type mr_operator_spc_ewma;
extern const struct mr_operator_type mr_operator_spc_i_mr;
extern const struct mr_operator_type mr_operator_spc_mewma;
extern const struct mr_operator_type mr_operator_spc_np;
extern const struct mr_operator_type mr_operator_spc_p;
extern const struct mr_operator_type mr_operator_spc_t2;
extern const struct mr_operator_type mr_operator_spc_u;
extern const struct mr_operator_type mr_operator_spc_xbar_r;
extern const struct mr_operator_type mr_operator_spc_xbar_s;
extern const struct mr_operator_type mr_operator_spc_xbar_t2;
extern const struct mr_operator_type mr_operator_voxel_aggregate;
extern const struct mr_operator_type mr_operator_window_aggregate;

#endif
