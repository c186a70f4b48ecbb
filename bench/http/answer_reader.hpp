// SPDX-License-Identifier: Apache-2.0
#pragma once
// Finds the end of one HTTP answer among the bytes of a connection: what a load generator must know of HTTP, no more.
// It takes answers with Content-Length (or without a body); anything else is refused in words.

#include <cstddef>
#include <string>
#include <string_view>

namespace freshet::bench {

struct Answer {
    int status = 0;
    std::size_t bytes = 0; ///< head and body; 0: not whole yet
    std::size_t body_bytes = 0;
};

/// The answer that `bytes` begin with. @throws std::runtime_error
Answer read_answer(std::string_view bytes);

} // namespace freshet::bench
