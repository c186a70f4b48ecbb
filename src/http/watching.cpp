// SPDX-License-Identifier: Apache-2.0
#include "http/watching.hpp"

#include "http/hub_host.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <utility>

namespace freshet::http {

namespace {

/// What is read, and read again when it changes, until it is worth an answer or the time is up.
class Watching final : public streams::FrameSink, public std::enable_shared_from_this<Watching> {
public:
    Watching(Core& core, ExchangePtr exchange, Watch watch, std::optional<Seq> after_seq, Millis wait)
        : core_{core}, exchange_{std::move(exchange)}, hub_{weak_hub_of(core)}, watch_{std::move(watch)},
          after_seq_{after_seq}, wait_{wait}
    {
    }

    void begin()
    {
        exchange_->on_closed([self = weak_from_this()] {
            if (const auto held = self.lock()) held->end();
        });
        read();
    }

    // FrameSink: any frame of the topic says that it changed.
    void send(const streams::FramePtr& frame) override
    {
        const std::string_view event = frame->event();
        if (event == "goodbye") return time_is_up();
        if (event != "hello" && event != "live" && event != "beat") changed_ = true;
    }
    std::size_t backlog_bytes() const override { return 0; }
    void caught_up(streams::Cursor) override
    {
        if (!changed_ || over_) return;
        changed_ = false;
        leave();
        read();
    }
    void close() override {}

private:
    void read()
    {
        const auto found = std::make_shared<std::optional<Watched>>();
        read_then(
            core_, exchange_, [found, read = watch_.read](Reads& reads) { *found = read(reads); },
            [self = shared_from_this(), found](streams::Cursor cursor) { self->seen(std::move(*found), cursor); });
    }

    void seen(std::optional<Watched> found, streams::Cursor cursor)
    {
        if (over_) return;
        if (!found) {
            end();
            return exchange_->fail(watch_.missing);
        }
        last_ = std::move(found);
        // Without after_seq it is the next change that is waited for.
        if (!after_seq_) after_seq_ = last_->seq;
        if (wait_.count() == 0 || last_->over || last_->seq > *after_seq_) return answer();
        if (timer_ == 0)
            timer_ = core_.after(wait_, [self = weak_from_this()] {
                if (const auto held = self.lock()) held->time_is_up();
            });
        streams::OpenStream request{exchange_->caller().tenant, {}, {watch_.topic}, streams::to_text(cursor), true};
        number_ = hub_of(core_).open(
            std::move(request),
            [self = shared_from_this()](const streams::StreamRefusal* refusal) -> std::shared_ptr<streams::FrameSink> {
                if (refusal != nullptr) self->time_is_up();
                return self->over_ || refusal != nullptr ? nullptr : self;
            });
        if (over_) leave();
    }

    void time_is_up()
    {
        if (!over_) answer();
    }

    void answer()
    {
        end();
        respond_status(exchange_, last_->json());
    }

    void end()
    {
        over_ = true;
        if (timer_ != 0) core_.cancel_wait(std::exchange(timer_, 0));
        leave();
    }
    void leave()
    {
        if (const auto hub = hub_.lock(); hub && number_ != 0) hub->leave(std::exchange(number_, 0));
    }

    Core& core_;
    ExchangePtr exchange_;
    std::weak_ptr<streams::Hub> hub_;
    Watch watch_;
    std::optional<Seq> after_seq_;
    Millis wait_;
    std::optional<Watched> last_;
    std::uint64_t number_ = 0, timer_ = 0;
    bool over_ = false, changed_ = false;
};

} // namespace

void answer_watched(Core& core, const ExchangePtr& exchange, Watch watch)
{
    std::optional<Seq> after_seq;
    if (const auto text = exchange->request().param("after_seq")) {
        const auto number = parse_count(*text);
        if (!number)
            return exchange->fail(
                bad_parameter("after_seq takes a seq, a whole number.", "Take it from the resource as last seen."));
        after_seq = static_cast<Seq>(*number);
    }
    const Preferences preferred = preferences(exchange->request().header("prefer"));
    std::make_shared<Watching>(core, exchange, std::move(watch), after_seq,
                               std::min(preferred.wait.value_or(Millis{0}), watch_max))
        ->begin();
}

} // namespace freshet::http
