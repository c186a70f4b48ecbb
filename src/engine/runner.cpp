// SPDX-License-Identifier: Apache-2.0
#include "engine/runner.hpp"

#include <cstdlib>
#include <fstream>

namespace freshet {

std::optional<std::string> resolve(const Secret& secret)
{
    switch (secret.from) {
    case Secret::From::literal: return secret.text;
    case Secret::From::env:
        if (const char* value = std::getenv(secret.text.c_str())) return value;
        return std::nullopt;
    case Secret::From::file: {
        std::ifstream file{secret.text};
        std::string line;
        if (file && std::getline(file, line)) return line;
        return std::nullopt;
    }
    }
    return std::nullopt;
}

} // namespace freshet
