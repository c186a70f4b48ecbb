// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/sql_read.hpp"

#include <fmt/format.h>
#include <utility>

namespace freshet {

FlightFailure SqlRead::failure(ErrorClass error_class, std::string_view code, std::string_view what) const
{
    FlightFailure failure;
    failure.error_class = error_class;
    failure.code = code;
    failure.message = fmt::format("source {}: {}", source.name, what);
    return failure;
}

FlightFailure SqlRead::stopped() const
{
    switch (stop.reason()) {
    case StopReason::none: break;
    case StopReason::timeout:
        return failure(ErrorClass::retryable, "timeout",
                       fmt::format("the database had not answered (limit: run_limit {})", to_text(run_limit)));
    case StopReason::cancelled: return failure(ErrorClass::cancelled, "cancelled", "cancelled on request");
    case StopReason::stopping: return failure(ErrorClass::cancelled, "cancelled", "the server is stopping");
    }
    std::unreachable();
}

FlightFailure SqlRead::not_bound(std::string_view name) const
{
    return failure(
        ErrorClass::fatal, "bad_query",
        fmt::format("the query asks for :{0}, which bind does not give; try bind = {{ {0} = \"...\" }}", name));
}

} // namespace freshet
