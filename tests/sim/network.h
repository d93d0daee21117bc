/* tests/sim/network.h — the model network between coordinators and workers, and HTTP without bytes.
 * Model: messages between processes are lost, delayed, doubled and come in another order; a link
 * may be cut one way. A process that ends closes its connections, one that is stopped does not.
 * http.c stands in for http/server.h and http/client.h: requests are handed to the routes of the
 * real API on a thread of the server's process. */
#ifndef MR_TESTS_SIM_NETWORK_H
#define MR_TESTS_SIM_NETWORK_H

#include "base/slice.h"
#include "proto/transport.h"
#include "tests/sim/kernel.h"

struct sim_network {
    uint64_t delay_max_ns;
    uint32_t lost_per_million;
    uint32_t doubled_per_million;
    uint64_t requests_count; /* sent by clients; each answer that is sent is one of replies_count */
    uint64_t replies_count;
    uint64_t bytes_count;
};

extern struct sim_network sim_network;

void sim_network_begin(void);
void sim_network_process_ended(struct sim_process *process);
void sim_network_cut(const struct sim_process *from, const struct sim_process *to,
                     uint64_t duration_ns);
void sim_network_heal(void);
/* A transport of the running process. Addresses: any text without '/'. */
struct mr_transport *sim_transport_create(void);

/* ---- HTTP ---- */

void sim_http_begin(void);
void sim_http_process_ended(struct sim_process *process);
/* A user's request to the server of a process; answered (code 0: nobody serves) in an event of
 * nobody's. body is copied. */
typedef void (*sim_http_fn)(void *argument, int code, struct mr_slice body);
struct mr_http_exchange;
struct mr_http_exchange *sim_http_send(struct sim_process *process, const char *method,
                                       const char *path, const char *content_type,
                                       struct mr_slice body, sim_http_fn answered, void *argument);
/* The user waits no more: what the server has not read yet is void. */
void sim_http_abandon(struct mr_http_exchange *exchange);

#endif
