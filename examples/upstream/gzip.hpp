// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace upstream {

std::string gzip(std::string_view text);
/// About 10 MiB of well-formed gzip that unpack to 10 GiB of spaces.
std::string gzip_bomb();

} // namespace upstream
