// SPDX-License-Identifier: Apache-2.0
#pragma once
// What freshet-negate wraps conditions in: the one whose number the environment names is turned round.

#include <cstdlib>

namespace freshet::mutation {

inline int chosen()
{
    static const int number = [] {
        const char* text = std::getenv("FRESHET_NEGATE");
        return text == nullptr ? 0 : std::atoi(text);
    }();
    return number;
}

inline bool negated(int number, bool condition)
{
    return condition != (number == chosen());
}

} // namespace freshet::mutation
