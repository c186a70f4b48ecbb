// SPDX-License-Identifier: Apache-2.0
// Frames between server and child: whatever arrives decodes to nothing or to what encodes to the same bytes.
#include "fuzz.hpp"
#include "runners/shape/frame.hpp"

using namespace freshet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string payload = fuzz::text_of(data, size);
    if (const auto request = decode_request(payload)) {
        const auto again = decode_request(encode(*request).substr(frame_head_bytes));
        FRESHET_ASSERT(again && encode(*again) == encode(*request));
    }
    if (const auto reply = decode_reply(payload)) {
        const auto again = decode_reply(encode(*reply).substr(frame_head_bytes));
        FRESHET_ASSERT(again && encode(*again) == encode(*reply));
    }
    return 0;
}
