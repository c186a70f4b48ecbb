// SPDX-License-Identifier: Apache-2.0
#include "http/job_answer.hpp"

#include "http/problems.hpp"
#include "wire/json_out.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

void copy_members(JsonOut& out, const std::string& object)
{
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    if (parser.parse(object).get(members) == simdjson::SUCCESS)
        for (const auto& [member, content] : members) out.key(member), out.raw(simdjson::minify(content));
}

} // namespace

Problem no_such_job(std::string_view id)
{
    return make_problem(404, "not_found", "No such job", fmt::format("There is no job {} here.", id.substr(0, 64)),
                        "Look at the id and at the tenant; ended jobs are kept for a while only.");
}

std::optional<JobId> job_id(const ExchangePtr& exchange, const std::string& text)
{
    const auto id = parse_job_id(text);
    if (!id) exchange->fail(no_such_job(text));
    return id;
}

std::string with_member(std::string_view name, std::string_view value, const std::string& object)
{
    JsonOut out;
    out.begin();
    out.text(name, value);
    copy_members(out, object);
    out.end();
    return out.take();
}

std::string with_member(std::string_view name, bool value, const std::string& object)
{
    JsonOut out;
    out.begin();
    out.yes(name, value);
    copy_members(out, object);
    out.end();
    return out.take();
}

} // namespace freshet::http
