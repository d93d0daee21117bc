/* operators/learned_queue.h — requests that are being answered, in the state of a task.
 * Why: a large request is spread over transactions, and after a crash it goes on where the last
 * commit left it.
 * Model: a timed table of open requests. A request is due at its turn, a number that counts up; who
 * has had a turn and wants more goes to the back. So all open requests get as much.
 * Limits: MR_REQUEST_TEXTS_BYTES_MAX of texts per request; how many are open the caller bounds.
 *
 * Stored request, version 2 (little-endian), under its sequence as a big-endian uint64:
 *   0   uint64  records wanted; 8 uint64 records made; 16 uint64 number of the first one
 *   24  int64   event time of the request record
 *   32  double  its id, where that is a number
 *   40  uint32  records of a batch; 44 uint8 flags: 1 with metadata, 2 the id is a number
 *   45  uint8   0; 46 uint64 of the records made those refused
 *   54  uint64  rows drawn anew for it; not in version 1
 *   62  uint16  sizes of key, id, reply topic and conditions, and their bytes
 * Stored head, version 2 as version 1, under the empty key: uint64 next sequence, uint64 next turn.
 */
#ifndef MR_OPERATORS_LEARNED_QUEUE_H
#define MR_OPERATORS_LEARNED_QUEUE_H

#include "operators/learned_request.h"

enum mr_queued_text {
    MR_QUEUED_KEY,
    MR_QUEUED_ID,
    MR_QUEUED_TOPIC,
    MR_QUEUED_CONDITIONS,
    MR_QUEUED_TEXTS_COUNT
};

struct mr_queued_request {
    uint64_t samples;
    uint64_t made;
    uint64_t refused; /* of those made: not there (learned_kind.h) */
    uint64_t redrawn; /* rows that were drawn anew for it */
    uint64_t first;   /* row of the key's model that is its first record */
    int64_t time_ms;
    double id_number;
    uint32_t batch_size;
    bool has_metadata;
    bool id_is_number;
    uint16_t sizes[MR_QUEUED_TEXTS_COUNT];
    uint8_t texts[MR_REQUEST_TEXTS_BYTES_MAX];
};

struct mr_request_queue {
    struct mr_table *requests;
    struct mr_table *head;
};

enum mr_status mr_request_queue_open(struct mr_request_queue *queue,
                                     const struct mr_operator_open *open,
                                     struct mr_error *error) MR_NODISCARD;
/* What one request costs, for `estimate`. */
void mr_request_queue_estimate(struct mr_state_estimate *estimate);
uint32_t mr_request_queue_count(const struct mr_request_queue *queue);

/* A request's texts and numbers as they are kept. False: the texts are too long together. */
bool mr_queued_request_set(struct mr_queued_request *queued, const struct mr_request *request,
                           struct mr_slice key, int64_t time_ms);
struct mr_slice mr_queued_request_text(const struct mr_queued_request *queued,
                                       enum mr_queued_text text);
/* STRING, DOUBLE, or ABSENT: it has none. */
struct mr_value mr_queued_request_id(const struct mr_queued_request *queued);

/* Add a request behind all others; *sequence names it. */
enum mr_status mr_request_queue_add(struct mr_request_queue *queue,
                                    const struct mr_queued_request *request, uint64_t *sequence,
                                    struct mr_error *error) MR_NODISCARD;
/* The request whose turn it is, copied; *found: there is one. */
enum mr_status mr_request_queue_next(struct mr_request_queue *queue, uint64_t *sequence,
                                     struct mr_queued_request *request, bool *found,
                                     struct mr_error *error) MR_NODISCARD;
/* It has made `made` records by now, of which `refused` are not there, with `redrawn` rows drawn
 * anew, and goes to the back. */
enum mr_status mr_request_queue_pass(struct mr_request_queue *queue, uint64_t sequence,
                                     uint64_t made, uint64_t refused, uint64_t redrawn,
                                     struct mr_error *error) MR_NODISCARD;
enum mr_status mr_request_queue_remove(struct mr_request_queue *queue, uint64_t sequence,
                                       struct mr_error *error) MR_NODISCARD;

#endif
