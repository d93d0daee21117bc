/* tests/unit/connectors/option_helpers.h — options of a type as the topology's parser would hand
 * them over: every default filled in, single ones set by the test. */
#ifndef MR_TESTS_OPTION_HELPERS_H
#define MR_TESTS_OPTION_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "connectors/connector.h"

enum { HELPER_OPTIONS_MAX = 16 };

struct helper_options {
    struct mr_options options;
    struct mr_option_value values[HELPER_OPTIONS_MAX];
};

static inline void helper_options_init(struct helper_options *helper,
                                       const struct mr_option_spec *specs)
{
    memset(helper, 0, sizeof(*helper));
    helper->options.specs = specs;
    helper->options.count = mr_option_specs_count(specs);
    helper->options.values = helper->values;
    assert_true(helper->options.count <= HELPER_OPTIONS_MAX);
    for (uint32_t i = 0; i < helper->options.count; i++) {
        struct mr_option_value *value = &helper->values[i];
        if (specs[i].default_text == NULL)
            continue;
        value->present = true;
        struct mr_slice text = mr_slice_text(specs[i].default_text);
        if (specs[i].type == MR_OPTION_DURATION)
            assert_true(mr_option_parse_duration(text, &value->integer));
        else if (specs[i].type == MR_OPTION_SIZE)
            assert_true(mr_option_parse_size(text, &value->integer));
        else if (specs[i].type == MR_OPTION_INTEGER)
            value->integer = strtoll(specs[i].default_text, NULL, 10);
        else if (specs[i].type == MR_OPTION_BOOLEAN)
            value->boolean = strcmp(specs[i].default_text, "true") == 0;
    }
}

static inline struct mr_option_value *helper_option(struct helper_options *helper, const char *name)
{
    int index = mr_option_specs_find(helper->options.specs, name);
    assert_true(index >= 0);
    helper->values[index].present = true;
    return &helper->values[index];
}

#endif
