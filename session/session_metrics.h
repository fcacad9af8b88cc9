// What the session tells at /metrics.
// Thread-safety: a pure function.
#pragma once

#include "base/metrics.h"
#include "session/session.h"

namespace chainring::session {

void write_metrics(const Session& session, Now now, MetricsWriter& out);

}  // namespace chainring::session
