// SPDX-License-Identifier: Apache-2.0
#pragma once
// One sync of one client.

#include "database.hpp"

#include <freshet/job.hpp>

namespace metrics {

/// Reads the client's workflows and its executions back to what is known, and what had not ended. The job's tenant is
/// the client. A checkpoint per page: who takes the job up again goes on from the last one.
freshet::Json ingest(freshet::Job& job, Database& database);

} // namespace metrics
