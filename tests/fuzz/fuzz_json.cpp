// SPDX-License-Identifier: Apache-2.0
// JSON and JSON lines: what the check takes, libjq reads as well, or refuses only for a number it would round.
#include "fuzz.hpp"
#include "runners/shape/jq_program.hpp"
#include "runners/shape/json_check.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string json = fuzz::text_of(data, size);
    const std::string before = json;
    if (check_json(json)) {
        FRESHET_ASSERT(json == before);
        const auto read = jq_read(json);
        FRESHET_ASSERT(read || read.error().code == ShapeErrorCode::number_too_large);
        if (read) {
            std::string written = read->json();
            FRESHET_ASSERT(check_json(written).has_value());
        }
    }
    std::string lines = before;
    if (auto list = json_of_ndjson(lines)) FRESHET_ASSERT(check_json(*list).has_value());
    return 0;
}
