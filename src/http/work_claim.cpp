// SPDX-License-Identifier: Apache-2.0
#include "http/work_claim.hpp"

#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/status_answer.hpp"
#include "wire/work_views.hpp"

namespace freshet::http {

namespace {

class Claiming : public std::enable_shared_from_this<Claiming> {
public:
    Claiming(Core& core, ExchangePtr exchange, ClaimWork claim)
        : core_{core}, exchange_{std::move(exchange)}, worker_{claim.worker}, tenant_{exchange_->caller().tenant},
          claim_{std::move(claim)}
    {
    }

    void begin(Millis wait)
    {
        offer_ = core_.work().next_offer(core_.index());
        claim_.offer = offer_;
        claim_.tenant = tenant_;
        if (wait >= wait_shortest)
            timer_ = core_.after(wait, [self = shared_from_this()] {
                self->timer_ = 0;
                self->withdraw();
            });
        const bool taken = core_.post(std::move(claim_),
                                      [self = shared_from_this()](Reply reply) { self->answered(std::move(reply)); });
        if (!taken) {
            end();
            return exchange_->fail(busy_problem());
        }
        core_.work().open_claim(offer_, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->give_up();
        });
        look_again();
        exchange_->on_closed([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->give_up();
        });
        if (wait >= wait_shortest) return;
        // Without a wait it is taken back as soon as the engine has looked at it: behind the answer to a question that
        // changes nothing.
        const bool asked = core_.post(CancelJob{JobId{}, tenant_, worker_}, [self = shared_from_this()](const Reply&) {
            if (!self->over_) self->withdraw();
        });
        if (!asked) withdraw();
    }

private:
    static constexpr Millis wait_shortest = 50ms;
    static constexpr Millis look_every = 500ms; ///< as streams end within a second of their token

    void withdraw()
    {
        if (core_.post(WithdrawClaim{worker_, offer_}, [](const Reply&) {})) return;
        // The engine's inbox is full: a claim that waits is answered late rather than never.
        if (!over_)
            timer_ = core_.after(wait_shortest, [self = shared_from_this()] {
                self->timer_ = 0;
                self->withdraw();
            });
    }

    // Nobody waits for the answer any more, or nobody should.
    void give_up()
    {
        if (over_) return;
        end();
        withdraw();
        exchange_->respond(response({}));
    }

    void look_again()
    {
        look_ = core_.after(look_every, [self = shared_from_this()] {
            self->look_ = 0;
            self->look_at_token();
        });
    }

    // Whose token was revoked or has ended gets no more work, by a claim that was open before neither.
    void look_at_token()
    {
        if (over_) return; // a timer that was due already cannot be taken back
        const Gate::Standing standing = core_.gate().standing(exchange_->caller(), core_.now());
        if (standing == Gate::Standing::good) return look_again();
        end();
        withdraw();
        const bool expired = standing == Gate::Standing::expired;
        exchange_->fail(make_problem(401, expired ? "token_expired" : "token_unknown",
                                     expired ? "The token has expired" : "The token is not known",
                                     "It ended while the claim was open.", "Ask for a new token."));
    }

    void answered(Reply reply)
    {
        auto* claimed = reply ? std::get_if<Claimed>(&*reply) : nullptr;
        if (over_) {
            if (claimed != nullptr) give_back(*claimed);
            return;
        }
        end();
        if (!reply) return fail_refused(core_, exchange_, reply.error());
        if (claimed == nullptr) return exchange_->fail(store_problem());
        exchange_->respond(response(*claimed));
    }

    HttpResponse response(const Claimed& claimed) const
    {
        std::vector<HandedOut> jobs;
        jobs.reserve(claimed.jobs.size());
        for (const ClaimedJob& one : claimed.jobs)
            jobs.push_back({one.job.get(), one.source.get(), &one.params, one.forced});
        HttpResponse made;
        made.content_type = "application/json";
        made.headers.emplace_back("Cache-Control", "no-store");
        made.body = claim_json(jobs, core_.now());
        return made;
    }

    // Claimed for a worker that had gone: they need not wait for the end of their leases.
    void give_back(const Claimed& claimed)
    {
        if (claimed.jobs.empty()) return;
        EndWork work;
        work.worker = worker_;
        work.tenant = tenant_;
        for (const ClaimedJob& one : claimed.jobs) work.jobs.emplace_back(ReleaseJob{one.job->id, one.job->fence, {}});
        core_.post(std::move(work), [](const Reply&) {});
    }

    void end()
    {
        over_ = true;
        core_.work().close_claim(offer_);
        if (timer_ != 0) core_.cancel_wait(std::exchange(timer_, 0));
        if (look_ != 0) core_.cancel_wait(std::exchange(look_, 0));
    }

    Core& core_;
    ExchangePtr exchange_;
    std::string worker_, tenant_;
    ClaimWork claim_;
    std::uint64_t offer_ = 0, timer_ = 0, look_ = 0;
    bool over_ = false;
};

} // namespace

void open_claim(Core& core, const ExchangePtr& exchange, ClaimWork claim, Millis wait)
{
    std::make_shared<Claiming>(core, exchange, std::move(claim))->begin(wait);
}

} // namespace freshet::http
