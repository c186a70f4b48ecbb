// SPDX-License-Identifier: Apache-2.0
// URLs and references: what is taken is http or https, has a host, no credentials, and reads the same a second time.
#include "fuzz.hpp"
#include "runners/http/url.hpp"
#include "runners/shape/text_input.hpp"

using namespace freshet;

namespace {

void hold(const Url& url)
{
    FRESHET_ASSERT(url.scheme == "http" || url.scheme == "https");
    FRESHET_ASSERT(!url.host.empty() && !url.port.empty());
    const auto again = parse_url(url.text);
    FRESHET_ASSERT(again && again->same_origin(url) && again->user.empty() && again->password.empty());
    FRESHET_ASSERT(again->text == url.text);
    FRESHET_ASSERT(url.text.find('\n') == std::string::npos && url.text.find('\r') == std::string::npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string rest = fuzz::text_of(data, size);
    const std::string base_text = fuzz::take_line(rest);
    const auto base = parse_url(base_text);
    if (base) hold(*base);
    const auto resolved = resolve_url(base ? *base : parse_url("https://example.com/a/b?c").value(), rest);
    if (resolved) hold(*resolved);
    FRESHET_ASSERT(shown_url(rest).size() <= 203);
    const std::string paged = with_query(base_text, "page", rest);
    FRESHET_ASSERT(with_query(paged, "page", rest) == paged);
    return 0;
}
