// SPDX-License-Identifier: Apache-2.0
#pragma once
// The general way to answer with a key's data: whatever the prepared path does not do (envelope, waits, outcomes,
// CORS). Threads: the loop's.

#include "http/core.hpp"
#include "http/data_headers.hpp"
#include "http/exchange.hpp"

#include <memory>
#include <string>

namespace freshet::http {

struct DataAnswer {
    std::shared_ptr<const KeyView> view; ///< has data, with its body
    std::shared_ptr<const SourceDefinition> source;
    Found found = Found::hit;
    bool is_public = false;
    bool no_store = false;
    bool envelope = false;
    std::string outcome; ///< of a refresh, for the Freshet header
    std::string receipt; ///< of a refresh, JSON, for the envelope
};

/// An exchange that takes a key's data as it is, instead of an answer made of it: of who asks from within.
class DataTaker {
public:
    virtual ~DataTaker() = default;
    virtual void take(const DataAnswer& data) = 0;
};

/// 200 with the data, or 304 if the request has it already.
void answer_with_data(Core& core, const ExchangePtr& exchange, DataAnswer answer);

/// The Freshet header alone, also of a key without data.
std::string freshet_header(Core& core, const KeyView& view, const SourceDefinition& source, std::string_view outcome);

std::string meta_of(const KeyView& view, const SourceDefinition& source, const Definitions& definitions,
                    bool from_cache, WallTime now);

/// The same, under the definitions in force; "null" of a key whose source is gone.
std::string meta_of(Core& core, const std::shared_ptr<const KeyView>& view);

/// A problem about a key, with its Freshet header.
void fail_with_key(Core& core, const ExchangePtr& exchange, Problem problem, const KeyView& view,
                   const SourceDefinition& source, std::string_view outcome = {});

/// 202 with the job, its Location and when to ask again.
void answer_accepted(Core& core, const ExchangePtr& exchange, const Job& job, const KeyView* view,
                     const SourceDefinition& source, std::string_view outcome, bool waited);

/// The source of a key's text form; the router let only known ones through, but a reload may lie between.
std::shared_ptr<const SourceDefinition> source_of(const Definitions& definitions, std::string_view key);

} // namespace freshet::http
