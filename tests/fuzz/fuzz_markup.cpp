// SPDX-License-Identifier: Apache-2.0
// HTML and XML: the first line is the content type, the rest the document; what comes out is valid JSON.
#include "fuzz.hpp"
#include "runners/shape/json_check.hpp"
#include "runners/shape/markup.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    ShapeOrder order;
    order.input = fuzz::text_of(data, size);
    order.content_type = fuzz::take_line(order.input);
    order.base_url = "https://example.com/a/";
    order.rows = "//*";
    order.cells = {{"text", "."}, {"link", "resolve(.//@href)"}, {"count", "count(.//*)"}, {"name", "name()"}};
    ShapeLimits limits;
    limits.output_bytes_max = 1 << 20;
    for (const InputFormat format : {InputFormat::html, InputFormat::xml})
        if (auto rows = json_of_markup(order, format, limits)) FRESHET_ASSERT(check_json(*rows).has_value());
    return 0;
}
