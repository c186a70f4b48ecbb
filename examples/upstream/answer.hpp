// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a site answers: its page, the faults that are a matter of content, compression and conditional requests. Faults
// that are a matter of how the bytes travel (hang, truncated, endless ...) are in connection.cpp.

#include "state.hpp"

namespace upstream {

struct Answer {
    unsigned status = 200;
    std::string content_type;
    Headers headers;
    std::string body;
};

/// @param fault  what this request gets; that of `state` may have run out or be another by now.
Answer answer_site(const Kind& kind, const State& state, Fault fault, const Ask& ask);

} // namespace upstream
