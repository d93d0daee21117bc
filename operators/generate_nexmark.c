/* operators/generate_nexmark.c — generate.nexmark: persons, auctions and bids of an online auction.
 * Design: what exists and who refers to whom is operators/nexmark_events.h; here are the records'
 * fields. Event n draws from its own counter-based sequence (seed, n), so that its bytes do not
 * depend on partitions, kind, order of arrival or restarts. One flat record for all kinds: a field
 * that a kind does not have is left out. */
#include "operators/generator.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "operators/nexmark_events.h"
#include "operators/registry.h"

enum nexmark_field {
    FIELD_EVENT_TYPE,
    FIELD_ID,
    FIELD_NAME,
    FIELD_EMAIL_ADDRESS,
    FIELD_CREDIT_CARD,
    FIELD_CITY,
    FIELD_STATE,
    FIELD_ITEM_NAME,
    FIELD_DESCRIPTION,
    FIELD_INITIAL_BID,
    FIELD_RESERVE,
    FIELD_EXPIRES,
    FIELD_SELLER,
    FIELD_CATEGORY,
    FIELD_AUCTION,
    FIELD_BIDDER,
    FIELD_PRICE,
    FIELD_CHANNEL,
    FIELD_URL,
    FIELD_DATE_TIME,
    FIELD_EXTRA,
    FIELDS_COUNT
};

enum {
    PERSON_BYTES = 200, /* average size of a record's values; a number counts 8 */
    AUCTION_BYTES = 500,
    BID_BYTES = 100,
    NUMBER_BYTES = 8,
    CHANNELS = 10000,
    TEXT_BYTES_MIN = 3,
    ITEM_BYTES_MAX = 20,
    DESCRIPTION_BYTES_MAX = 100,
    LETTERS = 26,
    /* Of 13 * 26 equally likely signs 26 are blanks: one in thirteen. */
    BLANK_SIGNS = 26,
    WORD_SIGNS = 13 * 26
};

/* Stream of the seed beside the events' own: what belongs to a channel. */
static const uint64_t channel_seed = 0x6368616e6e656c73u;

/* A stream that gets this far has left the calendar: its times stop here. */
static const double time_max_ms = 1e18;

struct nexmark {
    struct mr_generator generator;
    enum mr_nexmark_kind kind;
    uint64_t seed;
    double events_per_second; /* of event time */
    int64_t group;            /* records whose order of arrival is shuffled; 1: none */
    int64_t records_count;    /* of all partitions; INT64_MAX: no end */
};

/* An event on its way into a row. */
struct nexmark_row {
    struct mr_arena *arena;
    struct mr_random random;
    int64_t event;
    int64_t time_ms;
    struct mr_value values[FIELDS_COUNT];
};

static const char *const kinds[] = {"person", "auction", "bid", "all", NULL};
static const char *const first_names[] = {"Ada",   "Bruno", "Clara", "Dmitri", "Elif", "Farid",
                                          "Greta", "Hugo",  "Ines",  "Jonas",  "Keiko"};
static const char *const last_names[] = {"Abbott",  "Baker", "Castro", "Dubois", "Ericson",
                                         "Fischer", "Gupta", "Hansen", "Ivanov"};
static const char *const states[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
static const char *const cities[] = {"Tucson", "Sacramento", "Fresno",  "Nampa",  "Salem",
                                     "Eugene", "Tacoma",     "Spokane", "Yakima", "Laramie"};
static const char *const hot_channels[] = {"Apple", "Baidu", "Facebook", "Google"};

static int64_t event_time_ms(const struct nexmark *nexmark, int64_t event)
{
    double since_ms = floor((double)event * 1000 / nexmark->events_per_second);
    double time_ms = (double)nexmark->generator.start_ms + since_ms;
    return time_ms > time_max_ms ? (int64_t)time_max_ms : (int64_t)time_ms;
}

static enum mr_status nexmark_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct nexmark *nexmark = self;
    const struct mr_options *options = &open->node->options;
    MR_UNUSED(error);
    mr_generator_bind(&nexmark->generator, open);
    nexmark->kind = (enum mr_nexmark_kind)mr_options_integer(options, "kind");
    nexmark->seed = (uint64_t)mr_options_integer(options, "seed");
    nexmark->group = mr_options_integer(options, "shuffle");
    nexmark->events_per_second = mr_options_number(options, "event_rate");
    nexmark->records_count = INT64_MAX;
    if (mr_options_present(options, "count")) {
        nexmark->records_count =
            mr_nexmark_records(nexmark->kind, mr_options_integer(options, "count"));
        mr_generator_end(&nexmark->generator, nexmark->records_count);
    }
    /* The rate is that of all events: a source of one kind makes its share of it. */
    nexmark->generator.rate *= (double)mr_nexmark_records(nexmark->kind, MR_NEXMARK_CYCLE_EVENTS) /
                               MR_NEXMARK_CYCLE_EVENTS;
    return MR_OK;
}

/* ---- Text ---- */

/* The next of `signs` (<= 1,024) equally likely numbers; one draw of 32 bits serves three. */
struct signs {
    struct mr_random *random;
    uint32_t fraction;
    uint32_t left;
};

static uint32_t next_sign(struct signs *signs, uint32_t signs_count)
{
    if (signs->left == 0) {
        signs->fraction = mr_random_u32(signs->random);
        signs->left = 3;
    }
    signs->left--;
    uint64_t scaled = (uint64_t)signs->fraction * signs_count;
    signs->fraction = (uint32_t)scaled;
    return (uint32_t)(scaled >> 32);
}

static void write_letters(struct mr_random *random, uint8_t *text, size_t size)
{
    struct signs signs = {.random = random};
    for (size_t index = 0; index < size; index++)
        text[index] = (uint8_t)('a' + next_sign(&signs, LETTERS));
}

/* Letters and blanks, 3 to bytes_max - 1 before blanks at both ends are cut off. */
static struct mr_value draw_words(struct nexmark_row *row, uint64_t bytes_max)
{
    size_t size = TEXT_BYTES_MIN + mr_random_below(&row->random, bytes_max - TEXT_BYTES_MIN);
    uint8_t *text = mr_arena_take(row->arena, size);
    struct signs signs = {.random = &row->random};
    for (size_t index = 0; index < size; index++) {
        uint32_t sign = next_sign(&signs, WORD_SIGNS);
        text[index] = (uint8_t)(sign < BLANK_SIGNS ? ' ' : 'a' + sign % LETTERS);
    }
    size_t first = 0;
    while (first < size && text[first] == ' ')
        first++;
    while (size > first && text[size - 1] == ' ')
        size--;
    return mr_value_string(mr_slice_from(text + first, size - first));
}

/* Letters that bring the record to its average size, a fifth more or less. */
static struct mr_value draw_extra(struct nexmark_row *row, size_t size, size_t average)
{
    if (size >= average)
        return mr_value_string(mr_slice_text(""));
    size_t wanted = average - size;
    size_t fifth = (wanted + 2) / 5;
    wanted -= fifth;
    if (fifth > 0)
        wanted += mr_random_below(&row->random, 2 * fifth);
    uint8_t *text = mr_arena_take(row->arena, wanted);
    write_letters(&row->random, text, wanted);
    return mr_value_string(mr_slice_from(text, wanted));
}

static struct mr_value draw_choice(struct mr_random *random, const char *const *choices,
                                   uint64_t count)
{
    return mr_value_string(mr_slice_text(choices[mr_random_below(random, count)]));
}

static uint8_t *append(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static uint8_t *append_number(uint8_t *at, uint64_t number)
{
    uint8_t digits[20];
    size_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static struct mr_value text_until(const uint8_t *text, const uint8_t *end)
{
    return mr_value_string(mr_slice_from(text, (size_t)(end - text)));
}

/* ---- Records ---- */

static struct mr_value draw_name(struct nexmark_row *row)
{
    uint8_t *text = mr_arena_take(row->arena, 32);
    const uint64_t first_count = MR_ARRAY_COUNT(first_names);
    const uint64_t last_count = MR_ARRAY_COUNT(last_names);
    uint8_t *at = append(text, first_names[mr_random_below(&row->random, first_count)]);
    at = append(at, " ");
    at = append(at, last_names[mr_random_below(&row->random, last_count)]);
    return text_until(text, at);
}

static struct mr_value draw_email(struct nexmark_row *row)
{
    uint8_t *text = mr_arena_take(row->arena, 16);
    write_letters(&row->random, text, 5);
    uint8_t *at = append(text + 5, "@");
    write_letters(&row->random, at, 4);
    return text_until(text, append(at + 4, ".com"));
}

/* Four groups of four digits. */
static struct mr_value draw_credit_card(struct nexmark_row *row)
{
    enum { CARD_BYTES = 19 };
    uint8_t *text = mr_arena_take(row->arena, CARD_BYTES);
    struct signs signs = {.random = &row->random};
    for (size_t index = 0; index < CARD_BYTES; index++)
        text[index] = (uint8_t)(index % 5 == 4 ? ' ' : '0' + next_sign(&signs, 10));
    return mr_value_string(mr_slice_from(text, CARD_BYTES));
}

static void make_person(struct nexmark_row *row)
{
    struct mr_value *values = row->values;
    values[FIELD_ID] = mr_value_int(MR_NEXMARK_FIRST_ID + mr_nexmark_last_person(row->event));
    values[FIELD_NAME] = draw_name(row);
    values[FIELD_EMAIL_ADDRESS] = draw_email(row);
    values[FIELD_CREDIT_CARD] = draw_credit_card(row);
    values[FIELD_CITY] = draw_choice(&row->random, cities, MR_ARRAY_COUNT(cities));
    values[FIELD_STATE] = draw_choice(&row->random, states, MR_ARRAY_COUNT(states));
    size_t size = NUMBER_BYTES;
    for (uint32_t field = FIELD_NAME; field <= FIELD_STATE; field++)
        size += values[field].size;
    values[FIELD_EXTRA] = draw_extra(row, size, PERSON_BYTES);
}

static void make_auction(const struct nexmark *nexmark, struct nexmark_row *row)
{
    struct mr_value *values = row->values;
    values[FIELD_ID] = mr_value_int(MR_NEXMARK_FIRST_ID + mr_nexmark_last_auction(row->event));
    values[FIELD_ITEM_NAME] = draw_words(row, ITEM_BYTES_MAX);
    values[FIELD_DESCRIPTION] = draw_words(row, DESCRIPTION_BYTES_MAX);
    int64_t initial = mr_nexmark_draw_price(&row->random);
    values[FIELD_INITIAL_BID] = mr_value_int(initial);
    values[FIELD_RESERVE] = mr_value_int(initial + mr_nexmark_draw_price(&row->random));
    int64_t open_ms = event_time_ms(nexmark, row->event + mr_nexmark_open_events()) - row->time_ms;
    uint64_t bound = open_ms < 1 ? 1 : 2 * (uint64_t)open_ms;
    values[FIELD_EXPIRES] =
        mr_value_int(row->time_ms + 1 + (int64_t)mr_random_below(&row->random, bound));
    values[FIELD_SELLER] = mr_value_int(mr_nexmark_draw_seller(&row->random, row->event));
    values[FIELD_CATEGORY] = mr_value_int(
        MR_NEXMARK_FIRST_CATEGORY + (int64_t)mr_random_below(&row->random, MR_NEXMARK_CATEGORIES));
    size_t size = values[FIELD_ITEM_NAME].size + values[FIELD_DESCRIPTION].size + 6 * NUMBER_BYTES;
    values[FIELD_EXTRA] = draw_extra(row, size, AUCTION_BYTES);
}

/* What a channel's bids have in common: its name, and an address that carries the channel's own
 * number in nine of ten channels. number < CHANNELS: by number; above: one of the hot ones. */
static void make_channel(const struct nexmark *nexmark, struct nexmark_row *row, uint32_t number)
{
    uint8_t *url = mr_arena_take(row->arena, 96);
    uint8_t *at = append(url, "https://auctions.example.com/");
    struct mr_random random;
    mr_random_init(&random, nexmark->seed ^ channel_seed, number);
    for (int part = 0; part < 3; part++) {
        write_letters(&random, at, 4);
        at = append(at + 4, "/");
    }
    at = append(at, "item.htm?query=1");
    if (number >= CHANNELS) {
        row->values[FIELD_CHANNEL] =
            mr_value_string(mr_slice_text(hot_channels[number - CHANNELS]));
    } else {
        uint8_t *name = mr_arena_take(row->arena, 16);
        row->values[FIELD_CHANNEL] =
            text_until(name, append_number(append(name, "channel-"), number));
        if (mr_random_below(&random, 10) != 0)
            at = append_number(append(at, "&channel_id="), mr_random_u32(&random) >> 1);
    }
    row->values[FIELD_URL] = text_until(url, at);
}

static void make_bid(const struct nexmark *nexmark, struct nexmark_row *row)
{
    struct mr_value *values = row->values;
    values[FIELD_AUCTION] = mr_value_int(mr_nexmark_draw_auction(&row->random, row->event));
    values[FIELD_BIDDER] = mr_value_int(mr_nexmark_draw_bidder(&row->random, row->event));
    values[FIELD_PRICE] = mr_value_int(mr_nexmark_draw_price(&row->random));
    bool hot = mr_random_below(&row->random, 2) != 0;
    uint64_t number = hot ? CHANNELS + mr_random_below(&row->random, MR_ARRAY_COUNT(hot_channels))
                          : mr_random_below(&row->random, CHANNELS);
    make_channel(nexmark, row, (uint32_t)number);
    values[FIELD_EXTRA] = draw_extra(row, 4 * (size_t)NUMBER_BYTES, BID_BYTES);
}

static void make_row(const struct nexmark *nexmark, struct nexmark_row *row)
{
    enum mr_nexmark_kind kind = mr_nexmark_kind_of(row->event);
    memset(row->values, 0, sizeof(row->values)); /* ABSENT */
    mr_random_init(&row->random, nexmark->seed, (uint64_t)row->event);
    row->values[FIELD_EVENT_TYPE] = mr_value_int((int64_t)kind);
    row->values[FIELD_DATE_TIME] = mr_value_int(row->time_ms);
    if (kind == MR_NEXMARK_PERSON)
        make_person(row);
    else if (kind == MR_NEXMARK_AUCTION)
        make_auction(nexmark, row);
    else
        make_bid(nexmark, row);
}

static enum mr_status nexmark_generate(void *self, struct mr_operator_context *context,
                                       int64_t position, struct mr_batch *batch,
                                       int64_t *next_position, int64_t *due_ms,
                                       struct mr_error *error)
{
    struct nexmark *nexmark = self;
    struct mr_generator *generator = &nexmark->generator;
    MR_UNUSED(error);
    uint32_t rows_count;
    enum mr_status status = mr_generator_due(generator, position, context->now_ms,
                                             batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows_untimed(generator, batch, position, rows_count);
    struct mr_value *columns[FIELDS_COUNT];
    for (uint32_t field = 0; field < FIELDS_COUNT; field++)
        columns[field] = mr_batch_column(batch, generator->field_slots[field]);
    struct nexmark_row row = {.arena = batch->arena};
    for (uint32_t index = 0; index < rows_count; index++) {
        int64_t record = mr_nexmark_shuffled(mr_generator_index(generator, position + index),
                                             nexmark->group, nexmark->records_count);
        row.event = mr_nexmark_event(nexmark->kind, record);
        row.time_ms = event_time_ms(nexmark, row.event);
        batch->timestamps_ms[index] = row.time_ms;
        batch->event_times_ms[index] = row.time_ms;
        make_row(nexmark, &row);
        for (uint32_t field = 0; field < FIELDS_COUNT; field++)
            columns[field][index] = row.values[field];
    }
    *next_position = position + rows_count;
    return MR_OK;
}

static void nexmark_close(void *self)
{
    MR_UNUSED(self);
}

static enum mr_status nexmark_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    int64_t group = mr_options_integer(options, "shuffle");
    if (group == 1 || group % MR_NEXMARK_SHUFFLE_STEP != 0)
        return MR_OK;
    *option = "shuffle";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`shuffle` is %lld: a multiple of %d cannot be shuffled; take one more",
                   (long long)group, (int)MR_NEXMARK_SHUFFLE_STEP);
}

static const struct mr_option_spec nexmark_options[] = {
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "all",
     .choices = kinds,
     .help = "Which events: person, auction, bid, or all of them in one stream. Sources of "
             "different kinds with the same seed, start and event_rate tell of the same auction."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 9007199254740992.0,
     .help = "The same seed makes the same events."},
    {.name = "rate",
     .type = MR_OPTION_RATE,
     .minimum = 1e-3,
     .maximum = 1e9,
     .help = "Events of all kinds per second over all partitions, by the wall clock, for instance "
             "1000/s. Default: as fast as they are taken."},
    {.name = "event_rate",
     .type = MR_OPTION_RATE,
     .default_text = "10000/s",
     .minimum = 1e-3,
     .maximum = 1e9,
     .help = "Events of all kinds per second of event time."},
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .minimum = 0,
     .maximum = 1e15,
     .help = "How many events of all kinds over all partitions; then the source ends. Default: no "
             "end."},
    MR_GENERATOR_OPTION_PARTITIONS,
    {.name = "start",
     .type = MR_OPTION_INSTANT,
     .default_text = "2024-01-01T00:00:00Z",
     .help = "Event time of the first event."},
    {.name = "shuffle",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = 1e6,
     .help = "Records in groups of this many arrive in an order of their own: at most shuffle / "
             "event_rate seconds late, for a single kind in proportion more. 1: in order."},
    {.name = NULL},
};

static const struct mr_output_field nexmark_fields[] = {
    [FIELD_EVENT_TYPE] = {"event_type", MR_TYPE_INT, "0: a person, 1: an auction, 2: a bid."},
    [FIELD_ID] = {"id", MR_TYPE_INT, "Number of the person or auction, from 1,000."},
    [FIELD_NAME] = {"name", MR_TYPE_STRING, "Of a person: first and last name."},
    [FIELD_EMAIL_ADDRESS] = {"emailAddress", MR_TYPE_STRING, "Of a person."},
    [FIELD_CREDIT_CARD] = {"creditCard", MR_TYPE_STRING, "Of a person: four groups of digits."},
    [FIELD_CITY] = {"city", MR_TYPE_STRING, "Of a person: one of ten."},
    [FIELD_STATE] = {"state", MR_TYPE_STRING, "Of a person: AZ, CA, ID, OR, WA or WY."},
    [FIELD_ITEM_NAME] = {"itemName", MR_TYPE_STRING, "Of an auction."},
    [FIELD_DESCRIPTION] = {"description", MR_TYPE_STRING, "Of an auction."},
    [FIELD_INITIAL_BID] = {"initialBid", MR_TYPE_INT, "Of an auction, in cents."},
    [FIELD_RESERVE] = {"reserve", MR_TYPE_INT, "Of an auction: the least price of a sale."},
    [FIELD_EXPIRES] = {"expires", MR_TYPE_INT, "Of an auction: its end, in ms since the epoch."},
    [FIELD_SELLER] = {"seller", MR_TYPE_INT, "Of an auction: a person's id."},
    [FIELD_CATEGORY] = {"category", MR_TYPE_INT, "Of an auction: 10 to 14."},
    [FIELD_AUCTION] = {"auction", MR_TYPE_INT, "Of a bid: an auction's id."},
    [FIELD_BIDDER] = {"bidder", MR_TYPE_INT, "Of a bid: a person's id."},
    [FIELD_PRICE] = {"price", MR_TYPE_INT, "Of a bid, in cents."},
    [FIELD_CHANNEL] = {"channel", MR_TYPE_STRING,
                       "Of a bid: Apple, Baidu, Facebook or Google in half of the bids, else one "
                       "of 10,000."},
    [FIELD_URL] = {"url", MR_TYPE_STRING, "Of a bid: an address of the channel."},
    [FIELD_DATE_TIME] = {"dateTime", MR_TYPE_INT, "Its event time in ms since the epoch."},
    [FIELD_EXTRA] = {"extra", MR_TYPE_STRING, "Letters that bring the record to its size."},
};

static const struct mr_output_spec nexmark_outputs[] = {
    {.name = "main",
     .help = "The events; a field that a kind does not have is left out.",
     .fields = nexmark_fields,
     .fields_count = MR_ARRAY_COUNT(nexmark_fields)},
};

const struct mr_operator_type mr_operator_generate_nexmark = {
    .spec =
        {
            .name = "generate.nexmark",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes the events of the Nexmark benchmark: persons, auctions and bids.",
            .description =
                "Of every 50 events one is a person, 3 are auctions and 46 are bids. The values of "
                "a record take 200, 500 and 100 bytes on average (a number counts 8; a bid's "
                "channel and url come on top). Half of the bids go to the hot auction of the last "
                "hundred, three quarters of them come from the hot bidder, and three quarters of "
                "the auctions from the hot seller. Others refer to one of the last 100 auctions or "
                "1,000 persons, or to one of the ten that come next. Prices are uniform in their "
                "logarithm from 1 to 1,000,000; an auction is open until about a hundred others "
                "have followed.\n\n"
                "Event n has the event time start + n / event_rate and is drawn from a "
                "counter-based sequence of (seed, n): it is the same in every partition layout, "
                "kind and order of arrival, also after a restart, so that exactly-once holds from "
                "end to end.\n\n"
                "For benchmarks and tests of windows and joins: examples/nexmark has the queries. "
                "For records of other shapes use generate.random.",
            .options = nexmark_options,
            .outputs = nexmark_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = nexmark_check,
        },
    .instance_size = sizeof(struct nexmark),
    .open = nexmark_open,
    .generate = nexmark_generate,
    .close = nexmark_close,
};
