// SPDX-License-Identifier: Apache-2.0
#include "engine/prepare.hpp"

#include "wire/canonical.hpp"
#include "wire/diff.hpp"

#include <utility>

namespace freshet {

namespace {

PreparedResult wrong_shape(PreparedResult result, std::string message)
{
    result.wrong_shape = true;
    result.shape_message = std::move(message);
    return result;
}

void compare(PreparedResult& result, const SourceDefinition& source, const Body& base)
{
    result.counts = {.total = result.body->rows};
    if (result.body->hash == base.hash) return;
    auto made = diff(base.bytes, result.body->bytes, {source.key, source.ignore}, event_diff_bytes_max);
    // The base was a good document once; one that cannot be read any more is worth no failed refresh.
    if (!made) return;
    result.counts = made->counts;
    if (!made->truncated) result.diff = std::move(made->json);
}

} // namespace

PreparedResult prepare(FlightData data, const SourceDefinition& source, std::int64_t base_ver, const Body* base)
{
    PreparedResult result;
    const auto body = std::make_shared<Body>();
    body->bytes = std::exchange(data.json, {});
    result.data = std::move(data);
    result.body = body;

    const auto content = content_of(body->bytes, source.key);
    if (!content) return wrong_shape(std::move(result), content.error());
    body->hash = content->hash;
    body->rows = content->rows;
    result.counts = {.added = content->rows, .total = content->rows};
    if (base != nullptr) {
        result.base_ver = base_ver;
        compare(result, source, *base);
    }
    if (!content->key_problem.empty()) return wrong_shape(std::move(result), content->key_problem);
    return result;
}

} // namespace freshet
