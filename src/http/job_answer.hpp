// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all routes about jobs have in common. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "wire/json_out.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

/// What a task or item may be given.
inline constexpr std::size_t input_bytes_max = 256 << 10;

Problem no_such_job(std::string_view id);
/// Whether the request may see the job: it is of the tenant that it speaks for, or of a shared source that this lists.
bool sees_job(Core& core, const ExchangePtr& exchange, const Job& job);
/// For verbs on a job: whose job it is. Only where some source is shared the store is asked; a job of a shared source
/// that the caller may see and not change, and one that it may not see, are answered here.
void with_owner(Core& core, const ExchangePtr& exchange, JobId id, std::function<void(std::string)> then);
/// The id; nullopt: it is none, and that was answered.
std::optional<JobId> job_id(const ExchangePtr& exchange, const std::string& text);
/// A list of what `write` tells of the job `id` and of its attempts, oldest first, the last hand-out included.
using WriteAttempts = std::function<void(JsonOut&, const Job&, const std::vector<AttemptRecord>&)>;
void answer_attempts(Core& core, const ExchangePtr& exchange, const std::string& id, WriteAttempts write);
/// A JSON object with one more member in front.
std::string with_member(std::string_view name, std::string_view value, const std::string& object);
std::string with_member(std::string_view name, bool value, const std::string& object);

} // namespace freshet::http
