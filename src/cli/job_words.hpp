// SPDX-License-Identifier: Apache-2.0
#pragma once
// One job of /v1/jobs in words: how far it is, when it will end, how it ended. Pure.

#include "base/time.hpp"
#include "cli/json.hpp"
#include "cli/words.hpp"

#include <optional>
#include <string>

namespace freshet::cli {

bool job_ended(const Json& job);
/// done / total, below 1 until the job succeeded; nullopt without a total.
std::optional<double> job_share(const Json& job);
/// Phase, "310/500", ETA of a running job, as a bar shows them.
BarState job_bar(const Json& job, Millis elapsed);
/// "62 %  fit 310/500  ETA 35-50 s"; empty without progress.
std::string progress_words(const Json& job);
/// "j_01k  forecast  RUNNING  62 %  ...   worker py-3 (beat 2 s ago)   attempt 1 of 5".
std::string job_line(const Json& job, WallTime now, bool color);
/// "attempt 1 of 5"; where the most is not told, only from the second on.
std::string attempt_words(const Json& job);
/// "updated in 2.8 s   v412 -> v413   3 changed, 1 added".
std::string receipt_words(const Json& job, Millis took);

} // namespace freshet::cli
