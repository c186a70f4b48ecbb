// SPDX-License-Identifier: Apache-2.0
// Content types, charsets and formats: the first line is the content type, the rest the bytes.
#include "fuzz.hpp"
#include "runners/shape/text_input.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    ShapeOrder order;
    order.input = fuzz::text_of(data, size);
    order.content_type = fuzz::take_line(order.input);
    const auto format = format_of(order);
    FRESHET_ASSERT(!format || *format != InputFormat::auto_detect);
    if (!format) FRESHET_ASSERT(find_invalid_utf8(format.error().message) == std::string::npos);
    for (const bool strict : {true, false}) {
        const auto text = to_utf8(order.input, parse_content_type(order.content_type).charset, strict);
        FRESHET_ASSERT(!text || find_invalid_utf8(*text) == std::string::npos);
        if (!text) FRESHET_ASSERT(text.error().message.size() <= ShapeError::message_bytes_max);
    }
    return 0;
}
