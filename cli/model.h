/* cli/model.h — what the files of `millrace model` share. */
#ifndef MR_CLI_MODEL_H
#define MR_CLI_MODEL_H

#include <jansson.h>

#include "cli/model_open.h"
#include "operators/sample_model_copula.h"

struct mr_modelling {
    const struct mr_arguments *arguments;
    struct mr_arena arena;
    bool json;
};

/* `millrace model compare A B`. */
enum mr_exit mr_model_compare(struct mr_modelling *modelling);

/* What both print. JSON objects are the caller's. */
json_t *mr_model_facts_json(const struct mr_sample_model *model);
/* "people, version 7: a copula of 6 fields, learned from 2,000 rows (986 effective)" */
const char *mr_model_facts_text(struct mr_modelling *modelling,
                                const struct mr_sample_model *model);
/* A column's number as people read it: a date as such. */
const char *mr_model_number(struct mr_modelling *modelling, const struct mr_copula_column *column,
                            double number);
/* "age", or "age is missing". */
const char *mr_model_latent(struct mr_modelling *modelling, const struct mr_sample_model *model,
                            uint32_t latent);
/* Print value, which is given up, as `-o json` does. */
enum mr_exit mr_model_print_json(json_t *value);

#endif
