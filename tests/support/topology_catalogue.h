/* tests/support/topology_catalogue.h — a catalogue for tests of topology/: a few types of each
 * kind, with options of every type, so that the language can be tested without operators and
 * connectors. */
#ifndef MR_TESTS_SUPPORT_TOPOLOGY_CATALOGUE_H
#define MR_TESTS_SUPPORT_TOPOLOGY_CATALOGUE_H

#include "topology/type.h"

/* Its time zones are Europe/Berlin and Europe/Paris, with one step each, at mr_test_zone_step_ms.
 */
extern const struct mr_catalogue mr_test_catalogue;
extern int64_t mr_test_zone_step_ms;

#endif
