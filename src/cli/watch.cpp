// SPDX-License-Identifier: Apache-2.0
// One stream for all keys, taken up again by Last-Event-ID for as long as it takes. A gen that was seen is never
// followed by a lower one; a state that a reconnect tells again is not printed again.
#include "cli/client.hpp"
#include "cli/commands.hpp"
#include "cli/sse.hpp"
#include "cli/words.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <thread>

#include "model/key.hpp"

namespace freshet::cli {

namespace {

class Watch {
public:
    Watch(CliContext& context, const WatchOptions& options, const Target& target)
        : context_{context}, options_{options}, client_{context, target}
    {
        for (const std::string& key : options.keys)
            path_ += fmt::format("{}topic={}", path_.empty() ? "/v1/stream?" : "&", percent_encode("data/" + key));
    }

    CliResult<void> run()
    {
        for (;;) {
            greeted_ = said_goodbye_ = false;
            SseParser parser{last_id_};
            HttpRequest request{.path = path_, .headers = {{"Accept", "text/event-stream"}}, .timeout = 0ms};
            if (!last_id_.empty()) request.headers.emplace_back("Last-Event-ID", last_id_);
            const auto answer = client_.stream(request, beat_ * 3, [&](std::string_view bytes) {
                const bool on = parser.feed(bytes, [&](const SseEvent& event) { return on_event(event); });
                last_id_ = parser.last_id();
                return on;
            });
            if (context_.stopped()) return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
            if (answer && answer->status == 204) return {};
            // 4xx is the server's last word; a first attempt that finds no server is, too.
            const bool retryable =
                !answer ? ever_greeted_ : answer->status == 200 || answer->status == 429 || answer->status >= 500;
            if (!answer && !retryable) return std::unexpected(answer.error());
            if (answer && !retryable) return std::unexpected(error_of(*answer, words_for_keys()));
            if (answer && answer->status != 200 && !ever_greeted_)
                return std::unexpected(error_of(*answer, words_for_keys()));
            wait_before_retry(parser.retry_ms());
            if (context_.stopped()) return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
        }
    }

private:
    std::string words_for_keys() const
    {
        return options_.keys.size() == 1 ? options_.keys[0]
                                         : plural(static_cast<std::int64_t>(options_.keys.size()), "key", "keys");
    }

    // What the server asks for, else doubling from 1 s to 30 s as long as no stream begins.
    void wait_before_retry(std::optional<std::int64_t> retry_ms)
    {
        failures_ = greeted_ ? 0 : failures_ + 1;
        Millis wait = std::min<Millis>(1s * (1 << std::min(failures_, 5)), 30s);
        if (retry_ms && greeted_) wait = std::clamp<Millis>(Millis{*retry_ms}, 0ms, 5min);
        if (!said_goodbye_ && !options_.common.json)
            context_.err << fmt::format("the stream was cut; again in {}", length_words(wait)) << std::endl;
        const SteadyTime until = context_.clock.steady() + wait;
        while (!context_.stopped() && context_.clock.steady() < until)
            std::this_thread::sleep_for(
                std::min<Millis>(100ms, std::chrono::duration_cast<Millis>(until - context_.clock.steady())));
    }

    bool on_event(const SseEvent& event)
    {
        const auto data = Json::parse(event.data);
        if (!data) return true;
        if (event.event == "hello") {
            greeted_ = ever_greeted_ = true;
            if (const std::int64_t beat = (*data)["beat_ms"].whole(); beat > 0)
                beat_ = std::clamp<Millis>(Millis{beat}, 1s, 5min);
        } else if (event.event == "reset") {
            say(fmt::format("events were missed ({}); what follows is the present state",
                            safe((*data)["reason"].text())));
        } else if (event.event == "goodbye") {
            said_goodbye_ = true;
            say(fmt::format("the server ends the stream ({})", safe((*data)["reason"].text())));
        } else if (event.event == "snapshot" || event.event == "change") {
            on_state(event, *data);
        } else if (event.event == "auth") {
            say(fmt::format("the token ends at {}", safe((*data)["expires_at"].text())));
        }
        return true;
    }

    void say(const std::string& words)
    {
        if (!options_.common.json) context_.err << words << std::endl;
    }

    void on_state(const SseEvent& event, const Json& data)
    {
        const Json& meta = data["meta"];
        if (meta.null()) return;
        const std::string key = meta["key"].text();
        const std::int64_t gen = meta["gen"].whole();
        Seen& seen = seen_[key];
        if (gen < seen.gen) return;
        const std::string now = fmt::format("{} {} {}", gen, meta["state"].text(), meta["refreshing"].yes());
        if (event.event == "snapshot" && seen.told == now) return;
        seen = {gen, now};
        if (options_.common.json)
            print_json(event);
        else
            print_line(data, meta);
    }

    void print_json(const SseEvent& event)
    {
        const auto data = json_one_line(event.data);
        rapidjson::StringBuffer buffer;
        rapidjson::Writer writer{buffer};
        writer.StartObject();
        writer.Key("event");
        writer.String(event.event.c_str());
        writer.Key("id");
        writer.String(event.id.c_str());
        writer.Key("data");
        writer.RawValue(data->data(), data->size(), rapidjson::kObjectType);
        writer.EndObject();
        context_.out << buffer.GetString() << std::endl;
    }

    void print_line(const Json& data, const Json& meta)
    {
        const WallTime now = from_rfc3339(meta["now"].text()).value_or(context_.clock.wall());
        std::string line = context_.out_terminal ? clock_words(now, context_.clock.wall()) : to_rfc3339(now);
        const auto add = [&](const std::string& part) {
            if (!part.empty()) line += "  " + part;
        };
        add(safe(meta["key"].text()));
        add(state_words(meta["state"].text(), context_.color));
        if (!meta["ver"].null()) add(fmt::format("v{}", meta["ver"].whole()));
        if (data["outcome"].kind() == Json::Kind::text) add(safe(data["outcome"].text()));
        if (meta["refreshing"].yes()) add("refreshing");
        add(counts_words(data["counts"]));
        if (const std::int64_t missed = data["missed"].whole(); missed > 0)
            add(fmt::format("({} in between not shown)", missed));
        add(safe(meta["error"]["message"].text()));
        context_.out << line << std::endl;
    }

    struct Seen {
        std::int64_t gen = 0;
        std::string told;
    };

    CliContext& context_;
    const WatchOptions& options_;
    HttpClient client_;
    std::string path_, last_id_;
    Millis beat_ = 15s;
    bool greeted_ = false, ever_greeted_ = false, said_goodbye_ = false;
    int failures_ = 0;
    std::map<std::string, Seen> seen_;
};

CliResult<void> watch(CliContext& context, const WatchOptions& options)
{
    for (const std::string& key : options.keys)
        if (const auto path = key_path(key.ends_with("/*") ? key.substr(0, key.size() - 2) : key); !path)
            return std::unexpected(path.error());
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    return Watch{context, options, *target}.run();
}

} // namespace

int run_watch(CliContext& context, const WatchOptions& options)
{
    const InterruptGuard guard{context};
    const auto done = watch(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace freshet::cli
