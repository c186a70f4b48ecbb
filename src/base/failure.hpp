// SPDX-License-Identifier: Apache-2.0
#pragma once
// The ground broke: disk full, database gone, a row that does not parse.
//
// What a caller must expect is a value (std::expected); a Failure is caught in three places only: the request boundary
// (503), a background loop (log, back off) and main (exit code).

#include <stdexcept>
#include <string>

namespace freshet {

class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace freshet
