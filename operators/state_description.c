/* operators/state_description.c — named values of a key's stored state. */
#include "operators/state_description.h"

#include "base/assert.h"

enum { NS_PER_MS = 1000000 };

void mr_describe_member(struct mr_state_description *description, const char *name,
                        struct mr_value value)
{
    MR_ASSERT(description->members_count < MR_DESCRIPTION_MEMBERS_MAX);
    description->members[description->members_count++] =
        (struct mr_map_entry){.key = mr_value_string(mr_slice_text(name)), .value = value};
}

void mr_describe_time(struct mr_state_description *description, const char *name, int64_t time_ms)
{
    struct mr_value value = {.kind = MR_KIND_TIMESTAMP};
    if (__builtin_mul_overflow(time_ms, (int64_t)NS_PER_MS, &value.integer))
        value = mr_value_int(time_ms);
    mr_describe_member(description, name, value);
}

struct mr_value mr_description_value(const struct mr_state_description *description)
{
    return (struct mr_value){
        .kind = MR_KIND_MAP, .size = description->members_count, .entries = description->members};
}
