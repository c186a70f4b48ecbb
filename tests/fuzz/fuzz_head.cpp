// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP answers, line by line as libcurl gives them, with Link and Retry-After.
#include "fuzz.hpp"
#include "runners/http/response_head.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string rest = fuzz::text_of(data, size);
    ResponseHead head;
    while (!rest.empty()) head.take_line(fuzz::take_line(rest) + "\n");
    FRESHET_ASSERT(!head.complete || head.status >= 200);
    FRESHET_ASSERT(head.content_length.value_or(0) >= 0);
    if (const auto next = next_link(head.links))
        FRESHET_ASSERT(!next->empty() && next->size() <= ResponseHead::field_bytes_max);
    const auto wait = retry_after(head, from_ms(1'790'000'000'000));
    FRESHET_ASSERT(!wait || (*wait >= Millis{0} && *wait <= retry_after_max));
    (void)next_link({fuzz::text_of(data, size)});
    return 0;
}
