// SPDX-License-Identifier: Apache-2.0
#pragma once
// Parts that several shapes share. Inside of wire only.

#include "wire/json_out.hpp"
#include "wire/views.hpp"

namespace freshet::parts {

void error(JsonOut& out, const std::optional<ErrorInfo>& error);
void why(JsonOut& out, const std::optional<Why>& why);
/// {added, removed, changed, total} as member `name`.
void counts(JsonOut& out, std::string_view name, const DiffCounts& counts);
/// The job's progress as member `progress`; nothing before its first attempt.
void progress(JsonOut& out, const Job& job);
/// A running job that takes longer than 95 of 100 before it took.
bool slow(const Job& job, WallTime now);
/// It runs and beats, and has not got on for longer than its queue allows.
bool stalled(const Job& job, const JobTerms& terms, WallTime now);
/// The policy that applies to the key; of a removed source one that calls nothing fresh.
const SourceDefinition& policy_of(const MetaInput& input);
/// The members of meta, without the braces: also the beginning of a freshness row.
void meta(JsonOut& out, const MetaInput& input, WallTime now);

} // namespace freshet::parts
