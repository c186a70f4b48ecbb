// SPDX-License-Identifier: Apache-2.0
// CSV, tables and lines: whatever is taken becomes valid JSON. The readers are given valid UTF-8, as in the child.
#include "fuzz.hpp"
#include "runners/shape/json_check.hpp"
#include "runners/shape/rows_input.hpp"
#include "runners/shape/text_input.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text = with_valid_utf8(fuzz::text_of(data, size));
    FRESHET_ASSERT(find_invalid_utf8(text) == std::string::npos);
    if (auto rows = json_of_csv(text)) FRESHET_ASSERT(check_json(*rows).has_value());
    if (auto rows = json_of_table(text)) FRESHET_ASSERT(check_json(*rows).has_value());
    std::string lines = json_of_lines(text);
    FRESHET_ASSERT(check_json(lines).has_value());
    return 0;
}
