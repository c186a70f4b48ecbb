// SPDX-License-Identifier: Apache-2.0
#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace freshet {

void assertion_failed(const char* expression, const char* file, int line)
{
    std::fprintf(stderr, "freshet: broken invariant: %s (%s:%d). This is a bug; please report it.\n", expression, file,
                 line);
    std::abort();
}

} // namespace freshet
