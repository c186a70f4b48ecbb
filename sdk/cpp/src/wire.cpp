// SPDX-License-Identifier: Apache-2.0
#include "wire.hpp"

#include "utf8.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <simdjson.h>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

namespace {

namespace ondemand = simdjson::ondemand;

// What the server takes; what is longer is cut here, so that one text cannot have a whole call refused.
constexpr std::size_t message_bytes_max = 4'000, code_bytes_max = 128, reason_bytes_max = 512;
constexpr std::size_t phase_bytes_max = 128, unit_bytes_max = 32, words_bytes_max = 1'024;

/// RapidJSON's writer with members in one call.
class Out {
public:
    void begin() { writer_.StartObject(); }
    void end() { writer_.EndObject(); }
    void begin_list(const char* name) { writer_.Key(name), writer_.StartArray(); }
    void end_list() { writer_.EndArray(); }
    void text(std::string_view value)
    {
        const std::string clean = valid_utf8(value);
        writer_.String(clean.data(), static_cast<rapidjson::SizeType>(clean.size()));
    }
    void text(const char* name, std::string_view value) { writer_.Key(name), text(value); }
    void text_if(const char* name, std::string_view value)
    {
        if (!value.empty()) text(name, value);
    }
    void whole(const char* name, std::int64_t value) { writer_.Key(name), writer_.Int64(value); }
    void fence(std::uint64_t value) { writer_.Key("fence"), writer_.Uint64(value); }
    void number(const char* name, double value) { writer_.Key(name), writer_.Double(value); }
    void raw(const char* name, std::string_view json)
    {
        writer_.Key(name);
        writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    }
    std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

private:
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

void write_progress(Out& out, const Progress& progress, int phase_index)
{
    out.text_if("phase", valid_utf8(progress.phase, phase_bytes_max));
    out.whole("phase_index", phase_index);
    if (progress.phases > 0) out.whole("phases", progress.phases);
    out.whole("done", progress.done);
    if (progress.total) out.whole("total", *progress.total);
    out.text_if("unit", valid_utf8(progress.unit, unit_bytes_max));
    out.text_if("message", valid_utf8(progress.message, words_bytes_max));
}

const char* name_of(LogLevel level)
{
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warn";
    case LogLevel::error: break;
    }
    return "error";
}

std::string text_of(ondemand::value value)
{
    std::string_view text;
    return value.get_string().get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

/// The JSON text of a value; empty for null.
std::string json_of(ondemand::value value)
{
    std::string_view text;
    if (simdjson::to_json_string(value).get(text) != simdjson::SUCCESS || text == "null") return {};
    return std::string{text};
}

template <class Number>
Number whole_of(ondemand::value value, Number otherwise)
{
    if constexpr (std::is_unsigned_v<Number>) {
        std::uint64_t number = 0;
        return value.get_uint64().get(number) == simdjson::SUCCESS ? number : otherwise;
    } else {
        std::int64_t number = 0;
        return value.get_int64().get(number) == simdjson::SUCCESS ? static_cast<Number>(number) : otherwise;
    }
}

Claimed claimed_of(ondemand::object job, const std::string& worker)
{
    Claimed claimed;
    claimed.worker = worker;
    for (auto field : job) {
        const std::string_view name = field.unescaped_key();
        ondemand::value value = field.value();
        if (name == "id")
            claimed.id = text_of(value);
        else if (name == "fence")
            claimed.fence = whole_of<std::uint64_t>(value, 0);
        else if (name == "attempt")
            claimed.attempt = whole_of(value, 1);
        else if (name == "generation")
            claimed.generation = whole_of(value, 1);
        else if (name == "lease_ms")
            claimed.lease = milliseconds{whole_of<std::int64_t>(value, 30'000)};
        else if (name == "queue")
            claimed.queue = text_of(value);
        else if (name == "tenant")
            claimed.tenant = text_of(value);
        else if (name == "deadline_at")
            claimed.deadline_at = text_of(value);
        else if (name == "input") {
            if (std::string input = json_of(value); !input.empty()) claimed.input = std::move(input);
        } else if (name == "checkpoint")
            claimed.checkpoint = json_of(value);
    }
    return claimed;
}

/// Calls `take(name, value)` for each member of the one JSON object that `body` is. False: it is none.
template <class Take>
bool each_member(std::string_view body, Take&& take)
{
    try {
        thread_local ondemand::parser parser;
        const simdjson::padded_string padded{body};
        ondemand::document document = parser.iterate(padded);
        for (auto field : document.get_object()) {
            const std::string_view name = field.unescaped_key();
            take(name, field.value().value());
        }
        return true;
    } catch (const simdjson::simdjson_error&) {
        return false;
    }
}

bool yes(ondemand::value value)
{
    bool truth = false;
    return value.get_bool().get(truth) == simdjson::SUCCESS && truth;
}

BeatAnswer::Word word_of(std::string_view word)
{
    if (word == "cancel") return BeatAnswer::Word::cancel;
    return word == "lost" ? BeatAnswer::Word::lost : BeatAnswer::Word::ok;
}

} // namespace

std::string claim_body(const ClaimCall& call)
{
    Out out;
    out.begin();
    out.text("worker", call.worker);
    out.text_if("host", call.host);
    out.text("sdk", "cpp/" FRESHET_SDK_VERSION);
    out.begin_list("queues");
    for (const std::string& queue : *call.queues) out.text(queue);
    out.end_list();
    out.whole("slots", call.slots);
    out.number("wait", static_cast<double>(call.wait.count()) / 1000.0);
    if (call.holds) {
        out.begin_list("holds");
        for (const auto& [id, fence] : *call.holds) {
            out.begin();
            out.text("id", id);
            out.fence(fence);
            out.end();
        }
        out.end_list();
    }
    out.end();
    return out.take();
}

std::optional<ClaimAnswer> parse_claim(std::string_view body, const std::string& worker)
{
    ClaimAnswer answer;
    bool jobs = false;
    const bool whole = each_member(body, [&](std::string_view name, ondemand::value value) {
        if (name == "drain") answer.drain = yes(value);
        if (name != "jobs") return;
        jobs = true;
        for (auto job : value.get_array()) answer.jobs.push_back(claimed_of(job.get_object().value(), worker));
    });
    if (!whole || !jobs) return std::nullopt;
    return answer;
}

std::string beat_body(std::string_view worker, const std::vector<BeatOf>& jobs)
{
    Out out;
    out.begin();
    out.text("worker", worker);
    out.begin_list("jobs");
    for (const BeatOf& job : jobs) {
        out.begin();
        out.text("id", job.attempt->claimed.id);
        out.fence(job.attempt->claimed.fence);
        if (job.progress) {
            Out progress;
            progress.begin();
            write_progress(progress, *job.progress, job.phase_index);
            progress.end();
            out.raw("progress", progress.take());
        }
        if (!job.checkpoint.empty()) out.raw("checkpoint", job.checkpoint);
        out.end();
    }
    out.end_list();
    out.end();
    return out.take();
}

std::optional<BeatAnswer> parse_beat(std::string_view body)
{
    BeatAnswer answer;
    bool jobs = false;
    const bool whole = each_member(body, [&](std::string_view name, ondemand::value value) {
        if (name == "drain") answer.drain = yes(value);
        if (name == "reconnect") answer.reconnect = yes(value);
        if (name != "jobs") return;
        jobs = true;
        for (auto job : value.get_array()) {
            std::string id, word;
            for (auto field : job.get_object()) {
                const std::string_view member = field.unescaped_key();
                ondemand::value of = field.value();
                if (member == "id") id = text_of(of);
                if (member == "answer") word = text_of(of);
            }
            answer.jobs.emplace_back(std::move(id), word_of(word));
        }
    });
    if (!whole || !jobs) return std::nullopt;
    return answer;
}

std::string ends_body(std::string_view worker, Ended::How how, const std::vector<EndOf*>& ends)
{
    Out out;
    out.begin();
    out.text("worker", worker);
    out.begin_list("jobs");
    for (const EndOf* const of : ends) {
        const Ended& end = of->end;
        out.begin();
        out.text("id", of->attempt->claimed.id);
        out.fence(of->attempt->claimed.fence);
        switch (how) {
        case Ended::How::completed:
            if (of->stored)
                out.whole("payload", *of->stored);
            else
                out.raw("result", end.result);
            break;
        case Ended::How::failed: {
            Out error;
            error.begin();
            error.text("class", end.error_class);
            error.text("code", valid_utf8(end.code, code_bytes_max));
            error.text("message", valid_utf8(end.message, message_bytes_max));
            error.end();
            out.raw("error", error.take());
            if (end.retry_after) out.number("retry_after", static_cast<double>(end.retry_after->count()) / 1000.0);
            break;
        }
        case Ended::How::released:
            if (!of->checkpoint.empty()) out.raw("checkpoint", of->checkpoint);
            if (end.wait.count() > 0) out.whole("wait_ms", end.wait.count());
            out.text_if("reason", valid_utf8(end.reason, reason_bytes_max));
            break;
        case Ended::How::discarded: break;
        }
        out.end();
    }
    out.end_list();
    out.end();
    return out.take();
}

std::optional<std::vector<EndAnswer>> parse_ends(std::string_view body)
{
    std::vector<EndAnswer> answers;
    bool jobs = false;
    const bool whole = each_member(body, [&](std::string_view name, ondemand::value value) {
        if (name != "jobs") return;
        jobs = true;
        for (auto job : value.get_array()) {
            EndAnswer answer;
            for (auto field : job.get_object()) {
                const std::string_view member = field.unescaped_key();
                ondemand::value of = field.value();
                if (member == "id") answer.id = text_of(of);
                if (member != "problem") continue;
                answer.taken = false;
                for (auto part : of.get_object()) {
                    const std::string_view key = part.unescaped_key();
                    ondemand::value text = part.value();
                    if (key == "code") answer.code = text_of(text);
                    if (key == "status") answer.again = whole_of(text, 0) >= 500;
                    if (key == "detail") answer.words = text_of(text);
                }
            }
            answers.push_back(std::move(answer));
        }
    });
    if (!whole || !jobs) return std::nullopt;
    return answers;
}

std::string log_body(std::uint64_t fence, const std::vector<LogLine>& lines)
{
    Out out;
    out.begin();
    out.fence(fence);
    out.begin_list("lines");
    for (const LogLine& line : lines) {
        out.begin();
        out.text("level", name_of(line.level));
        out.text("text", line.text);
        out.end();
    }
    out.end_list();
    out.end();
    return out.take();
}

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
