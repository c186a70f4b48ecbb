// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: the status routes and the streams over real sockets, with changes told as the engine tells them.

#include "http/test_world.hpp"
#include "wire/views.hpp"

#include <simdjson.h>

namespace freshet::http {

/// A JSON answer, asked by pointer.
class Json {
public:
    explicit Json(const std::string& text) : text_{text} { error_ = parser_.parse(text_).get(root_); }
    std::string text(std::string_view pointer)
    {
        std::string_view value;
        return error_ == simdjson::SUCCESS && root_.at_pointer(pointer).get(value) == simdjson::SUCCESS
                   ? std::string{value}
                   : std::string{};
    }
    std::int64_t number(std::string_view pointer)
    {
        std::int64_t value = -1;
        return error_ == simdjson::SUCCESS && root_.at_pointer(pointer).get(value) == simdjson::SUCCESS ? value : -1;
    }
    std::size_t count(std::string_view pointer)
    {
        simdjson::dom::array list;
        return error_ == simdjson::SUCCESS && root_.at_pointer(pointer).get(list) == simdjson::SUCCESS ? list.size()
                                                                                                       : 0;
    }

private:
    simdjson::padded_string text_;
    simdjson::dom::parser parser_;
    simdjson::dom::element root_;
    simdjson::error_code error_;
};

class StatusRoutes : public testing::Test {
protected:
    StatusRoutes()
    {
        world.routes = all_routes();
        auto& rows = world.source("rows");
        rows.key = {"id"};
        auto& clock = world.source("clock");
        clock.schedule.cron = "0 6 * * *";
        world.start();
        client.emplace(world.port());
    }

    Answered get(const std::string& target, const std::string& headers = "") { return client->get(target, headers); }
    Answered ask(const std::string& method, const std::string& target, const std::string& body = "")
    {
        return client->ask(method, target, "", body);
    }

    /// A version with its event, as the engine leaves it.
    KeyView change(const std::string& key, const std::string& json)
    {
        KeyView view = world.next_view(key, json);
        KeyRecord& record = view.record;
        auto transaction = world.store.begin();
        record.payload = transaction->put_payload(json);
        record.seq = record.data_fence = transaction->next_seq(world.tenant);
        MetaInput meta;
        meta.record = &record;
        meta.source = world.definitions->source(record.source);
        const Event event{EventKind::change, "data/" + key,
                          change_event_json("data/" + key, meta_json(meta, world.clock.wall()), Outcome::updated,
                                            record.ver - 1, {}, {}, {}, record.seq),
                          "", false};
        transaction->append(world.tenant, event, world.clock.wall());
        transaction->put_key(record);
        VersionRecord version;
        version.ver = record.ver;
        version.gen = record.gen;
        version.payload = record.payload;
        version.hash = record.hash;
        version.bytes = record.bytes;
        version.changed_at = world.clock.wall();
        transaction->put_version(world.tenant, key, version);
        transaction->commit();
        world.records[key] = record;
        auto told = world.notice();
        told->events.push_back({world.tenant, {LedgerEntry{record.seq, event}}});
        told->keys.push_back(std::make_shared<KeyView>(view));
        world.tail.publish(std::move(told));
        return view;
    }

    /// A job's change with its event.
    Job change_job(Job job)
    {
        auto transaction = world.store.begin();
        job.seq = transaction->next_seq(world.tenant);
        const std::string topic = "job/" + to_text(job.id);
        const Event event{EventKind::job, topic,
                          job_event_json(topic, receipt_json(job, false, world.clock.wall()), job.seq),
                          "jobs/" + job.queue, is_terminal(job.state)};
        transaction->append(world.tenant, event, world.clock.wall());
        transaction->put_job(job, std::nullopt);
        transaction->commit();
        auto told = world.notice();
        told->events.push_back({world.tenant, {LedgerEntry{job.seq, event}}});
        told->jobs.push_back(std::make_shared<const Job>(job));
        world.tail.publish(std::move(told));
        return job;
    }

    /// The hub asks the engine once per tenant where it stands.
    void answer_fence()
    {
        auto asked = world.engine.next();
        ASSERT_TRUE(std::holds_alternative<CancelJob>(asked.request));
        world.reply(asked, std::unexpected(Refused{Refusal::not_found, "", {}, {}, 0, {}}));
    }

    void send_get(RawClient& reader, const std::string& target, const std::string& headers = "")
    {
        reader.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    }

    World world;
    std::optional<RawClient> client;
};

} // namespace freshet::http
