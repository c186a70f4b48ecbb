// SPDX-License-Identifier: Apache-2.0
#pragma once
// A loop without sockets or threads for the hub's tests: a store in memory, a clock that is told, and off-loop work,
// publishing and timers that happen only when the test says so. So every interleaving can be written down.

#include "base/clock.hpp"
#include "http/streams/hub.hpp"
#include "http/streams/present.hpp"
#include "store/memory.hpp"
#include "wire/batch_views.hpp"
#include "wire/views.hpp"

#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <simdjson.h>
#include <string>
#include <utility>
#include <vector>

namespace freshet::streams::test {

inline const std::string tenant_name = "default";

class World final : public HubHost {
public:
    World()
    {
        auto made = std::make_shared<Definitions>();
        for (const char* name : {"rates", "news"}) made->sources[name] = source(name);
        auto by_base = std::make_shared<SourceDefinition>(*source("prices"));
        by_base->params.push_back({"base", {}, "[a-z0-9]+"});
        made->sources["prices"] = by_base;
        definitions_ = made;
    }

    // HubHost.
    WallTime now() const override { return clock.wall(); }
    SteadyTime steady() const override { return clock.steady(); }
    const std::shared_ptr<const Definitions>& definitions() const override { return definitions_; }
    void catch_up() override
    {
        while (!published_.empty()) {
            const auto notice = published_.front();
            published_.pop_front();
            for (const auto& view : notice->keys) views_[view->record.key] = view;
            if (hub) hub->on_notice(notice);
        }
    }
    void view(std::string_view tenant, std::string_view key,
              std::function<void(std::shared_ptr<const KeyView>)> then) override
    {
        if (const auto found = views_.find(key); found != views_.end()) return then(found->second);
        off_.push_back(
            [this, key = std::string{key}, tenant = std::string{tenant}, then] { then(reads.view(tenant, key)); });
    }
    bool paused(std::string_view, std::string_view) override { return false; }
    void rows(Topic::Kind list, std::string_view, std::function<void(std::shared_ptr<const Rows>)> then) override
    {
        ++rows_read;
        off_.push_back([this, list, then] { then(std::make_shared<const Rows>(lists[list])); });
    }
    void off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then) override
    {
        off_.push_back([this, work = std::move(work), then = std::move(then)] {
            work(reads);
            back_.push_back([then] { then(nullptr); });
        });
    }
    void fence(std::string_view, std::function<void(bool)> then) override
    {
        back_.push_back([this, then] {
            publish_all();
            catch_up();
            then(true);
        });
    }
    void after(Millis delay, std::function<void()> then) override
    {
        timers_.emplace(clock.steady() + delay, std::move(then));
    }

    // What the test does.
    /// A new version of the key: committed, and published unless told otherwise.
    void change(const std::string& key, bool then_publish = true, std::size_t padding = 0)
    {
        const auto transaction = store.begin();
        auto view = std::make_shared<KeyView>();
        view->record = transaction->key(tenant_name, key).value_or(KeyRecord{});
        KeyRecord& record = view->record;
        record.tenant = tenant_name;
        record.key = key;
        record.source = source_of(key);
        record.has_data = true;
        ++record.gen;
        ++record.ver;
        record.checked_at = record.changed_at = now();
        record.definition = definitions_->source(record.source)->hash;
        record.seq = transaction->next_seq(tenant_name);
        record.data_fence = record.seq;
        auto body = std::make_shared<Body>();
        body->bytes = "{\"ver\":" + std::to_string(record.ver) + ",\n\"pad\":\"" + std::string(padding, 'x') + "\"}";
        view->body = body;
        record.payload = transaction->put_payload(body->bytes);
        record.bytes = static_cast<std::int64_t>(body->bytes.size());
        transaction->put_key(record);
        const std::string topic = "data/" + key;
        const std::string diff = "{\"pad\":\"" + std::string(padding, 'x') + "\"}";
        const std::string data =
            change_event_json(topic, meta_json(meta_input(*view, *definitions_), now()), Outcome::updated,
                              record.ver - 1, DiffCounts{}, diff, {}, record.seq);
        append(*transaction, {EventKind::change, topic, data, {}, false});
        transaction->commit();
        notice().keys.push_back(view);
        if (then_publish) publish_all();
    }

    void put_job(Job job, bool then_publish = true)
    {
        const auto transaction = store.begin();
        job.tenant = tenant_name;
        job.seq = transaction->next_seq(tenant_name);
        transaction->put_job(job, std::nullopt);
        append(*transaction,
               job_event({std::make_shared<const Job>(job), false, 0, {}, now()}, is_terminal(job.state)));
        transaction->commit();
        notice().jobs.push_back(std::make_shared<const Job>(job));
        if (then_publish) publish_all();
    }

    /// A batch with the items that changed, as the engine leaves them in one commit: rows, then the batch's event.
    void put_batch(Batch batch, std::vector<Job> items, WallTime at, bool then_publish = true)
    {
        const auto transaction = store.begin();
        std::vector<std::string> rows;
        for (Job& item : items) {
            item.seq = transaction->next_seq(tenant_name);
            transaction->put_job(item, std::nullopt);
            append(*transaction,
                   job_event({std::make_shared<const Job>(item), false, 0, {}, at}, is_terminal(item.state)));
            notice().jobs.push_back(std::make_shared<const Job>(item));
            rows.push_back(item_json(item, false, at));
        }
        batch.seq = transaction->next_seq(tenant_name);
        transaction->put_batch(batch, std::nullopt);
        const std::string topic = "batch/" + freshet::to_text(batch.id);
        append(*transaction, {EventKind::batch, topic, batch_event_json(topic, batch_json(batch, at), rows, batch.seq),
                              "batches", is_terminal(batch.state)});
        transaction->commit();
        notice().batches.push_back(std::make_shared<const Batch>(batch));
        if (then_publish) publish_all();
    }

    /// A schedule fires.
    void fire(const std::string& schedule)
    {
        const auto transaction = store.begin();
        append(*transaction, {EventKind::fire, "schedule/" + schedule,
                              R"({"topic":"schedules","schedule":")" + schedule + R"("})", "schedules", false});
        transaction->commit();
        publish_all();
    }

    /// The view of a key changes without an event: a refresh of it began.
    void flight(const std::string& key)
    {
        auto view = std::make_shared<KeyView>(*views_.at(key));
        view->flight = FlightView{JobId{7}, true, Trigger::manual, now()};
        notice().keys.push_back(view);
        publish_all();
    }

    /// The key's source is paused, which no event tells.
    void pause(const std::string& key)
    {
        auto view = std::make_shared<KeyView>(*views_.at(key));
        view->paused = true;
        notice().keys.push_back(view);
        publish_all();
    }

    /// Drops the whole ledger; its floor becomes its head.
    void trim()
    {
        const auto transaction = store.begin();
        transaction->trim_ledger(tenant_name, now() + 1h, 1LL << 40);
        transaction->commit();
    }

    Notice& notice()
    {
        if (!open_) open_ = std::make_shared<Notice>();
        return *open_;
    }
    /// What is committed goes to the loop's inbox, in order.
    void publish_all()
    {
        if (!open_) return;
        open_->position = ++position_;
        published_.push_back(std::move(open_));
        open_.reset();
        catch_up();
    }
    bool off_one() { return run_one(off_); }
    bool back_one() { return run_one(back_); }
    /// Everything that is due happens.
    void settle()
    {
        publish_all();
        do catch_up();
        while (off_one() || back_one());
    }
    void pass(Millis time)
    {
        const SteadyTime until = clock.steady() + time;
        settle();
        while (!timers_.empty() && timers_.begin()->first <= until) {
            clock.advance(std::chrono::duration_cast<Millis>(timers_.begin()->first - clock.steady()));
            const auto then = timers_.extract(timers_.begin()).mapped();
            then();
            settle();
        }
        clock.advance(std::chrono::duration_cast<Millis>(until - clock.steady()));
    }

    std::int64_t ver(const std::string& key) { return reads.meta(tenant_name, key)->record.ver; }
    Seq head() { return reads.ledger_head(tenant_name).head; }

    MemoryStore store{5};
    Reads reads{[this] { return store.reader(); }};
    ManualClock clock;
    std::unique_ptr<Hub> hub;
    std::shared_ptr<const Definitions> definitions_;
    std::map<Topic::Kind, Rows> lists; ///< what rows() says
    int rows_read = 0;

private:
    static std::shared_ptr<SourceDefinition> source(const char* name)
    {
        auto made = std::make_shared<SourceDefinition>();
        made->name = made->queue = name;
        made->hash = 11;
        return made;
    }
    static bool run_one(std::deque<std::function<void()>>& queue)
    {
        if (queue.empty()) return false;
        const auto next = std::move(queue.front());
        queue.pop_front();
        next();
        return true;
    }
    void append(Transaction& transaction, const Event& event)
    {
        const Seq seq = transaction.append(tenant_name, event, now());
        auto& events = notice().events;
        if (events.empty()) events.push_back({tenant_name, {}});
        events.front().entries.push_back({seq, event});
    }

    std::shared_ptr<Notice> open_;
    std::uint64_t position_ = 0;
    std::deque<std::shared_ptr<const Notice>> published_;
    std::map<std::string, std::shared_ptr<const KeyView>, std::less<>> views_;
    std::deque<std::function<void()>> off_, back_;
    std::multimap<SteadyTime, std::function<void()>> timers_;
};

inline Job a_job(std::int64_t id, JobState state = JobState::running, std::string key = "rates")
{
    Job job;
    job.id = JobId{id};
    job.queue = "rates";
    job.key = std::move(key);
    job.state = state;
    return job;
}

/// What a reader got, in order. `held` frames have been sent but not taken yet: they are the backlog.
class Reader final : public FrameSink {
public:
    struct Got {
        std::string event, id, data;
        std::int64_t number(const char* path) const
        {
            simdjson::dom::parser parser;
            std::int64_t value = -1;
            if (parser.parse(data).at_pointer(path).get(value) != simdjson::SUCCESS) return -1;
            return value;
        }
        std::string text(const char* path) const
        {
            simdjson::dom::parser parser;
            std::string_view value;
            if (parser.parse(data).at_pointer(path).get(value) != simdjson::SUCCESS) return {};
            return std::string{value};
        }
    };

    void send(const FramePtr& frame) override
    {
        held.push_back(frame);
        held_bytes += frame->text()->size();
        most_bytes = std::max(most_bytes, held_bytes);
        if (takes_all) take_all();
    }
    std::size_t backlog_bytes() const override { return held_bytes; }
    void caught_up(Cursor cursor) override { at = cursor; }
    void close() override { closed = true; }

    bool take_one()
    {
        if (held.empty()) return false;
        const FramePtr frame = held.front();
        held.pop_front();
        held_bytes -= frame->text()->size();
        got.push_back({std::string{frame->event()}, std::string{frame->id()}, std::string{frame->data()}});
        if (!frame->id().empty()) last_id = frame->id();
        return true;
    }
    void take_all()
    {
        while (take_one()) {
        }
    }
    std::vector<std::string> events() const
    {
        std::vector<std::string> names;
        for (const Got& one : got) names.push_back(one.event);
        return names;
    }
    /// The last one of that event.
    const Got* last(std::string_view event) const
    {
        for (auto one = got.rbegin(); one != got.rend(); ++one)
            if (one->event == event) return &*one;
        return nullptr;
    }

    bool takes_all = true, closed = false, refused = false;
    StreamRefusal refusal;
    std::deque<FramePtr> held;
    std::size_t held_bytes = 0, most_bytes = 0;
    std::vector<Got> got;
    std::string last_id;
    Cursor at;
    std::uint64_t number = 0;
};

/// A hub over such a loop, and the readers that open streams on it.
class HubFixture : public testing::Test {
protected:
    HubFixture()
    {
        HubOptions options;
        options.epoch = 5;
        options.stream_prefix = "s_test-0";
        options.server = "freshet/test";
        world.hub = std::make_unique<Hub>(std::shared_ptr<HubHost>{std::shared_ptr<void>{}, &world}, options);
    }

    std::shared_ptr<Reader> open(std::vector<std::string> topics, std::optional<std::string> cursor = {},
                                 bool poll = false)
    {
        auto reader = std::make_shared<Reader>();
        OpenStream request{tenant_name, "", std::move(topics), std::move(cursor), poll};
        reader->number =
            world.hub->open(std::move(request), [reader](const StreamRefusal* refusal) -> std::shared_ptr<FrameSink> {
                if (refusal == nullptr) return reader;
                reader->refused = true;
                reader->refusal = *refusal;
                return nullptr;
            });
        return reader;
    }
    std::shared_ptr<Reader> settled(std::vector<std::string> topics, std::optional<std::string> cursor = {},
                                    bool poll = false)
    {
        auto reader = open(std::move(topics), std::move(cursor), poll);
        world.settle();
        return reader;
    }
    static std::string id(Seq seq) { return to_text(Cursor{5, seq}); }

    World world;
};

} // namespace freshet::streams::test
