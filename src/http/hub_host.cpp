// SPDX-License-Identifier: Apache-2.0
#include "http/hub_host.hpp"

#include "http/gate.hpp"
#include "http/list_rows.hpp"
#include "http/negotiate.hpp"
#include "http/paused.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

class CoreHost final : public streams::HubHost {
public:
    explicit CoreHost(Core& core) : core_{core} {}

    WallTime now() const override { return core_.now(); }
    SteadyTime steady() const override { return core_.steady(); }
    const std::shared_ptr<const Definitions>& definitions() const override { return core_.definitions(); }
    void catch_up() override { core_.catch_up(); }
    void view(std::string_view tenant, std::string_view key,
              std::function<void(std::shared_ptr<const KeyView>)> then) override
    {
        core_.view(tenant, key, std::move(then));
    }
    bool paused(std::string_view tenant, std::string_view key) override
    {
        const KeyView* view = key.empty() ? nullptr : core_.cached(tenant, key);
        return view != nullptr && view->paused;
    }
    Job with_progress(Job job) override { return core_.work().with_progress(std::move(job)); }
    bool job_paused(const Job& job) override
    {
        return job.key.empty() ? queue_paused(core_, job.tenant, job.queue) : paused(job.tenant, job.key);
    }
    void rows(streams::Topic::Kind list, std::string_view tenant,
              std::function<void(std::shared_ptr<const streams::Rows>)> then) override
    {
        const std::string of{tenant};
        if (list == streams::Topic::Kind::queues) return queue_rows(core_, of, std::move(then));
        if (list == streams::Topic::Kind::schedules) return schedule_rows(core_, of, std::move(then));
        then(worker_rows(core_, of));
    }
    void off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then) override
    {
        core_.off_loop(std::move(work), std::move(then));
    }
    void fence(std::string_view tenant, std::function<void(bool)> then) override
    {
        // A request that the engine refuses without writing: its reply comes behind the notice of every commit before
        // it.
        const bool taken =
            core_.post(CancelJob{JobId{}, std::string{tenant}, "streams"}, [then](const Reply&) { then(true); });
        if (!taken) then(false);
    }
    void after(Millis delay, std::function<void()> then) override { core_.after(delay, std::move(then)); }

private:
    Core& core_;
};

std::shared_ptr<streams::Hub> make_hub(Core& core)
{
    const Services& services = core.services();
    streams::HubOptions options;
    options.epoch = services.epoch;
    options.stream_prefix = stream_prefix(services, core.index());
    options.server = fmt::format("freshet/{}", services.version);
    options.seed = hash64(options.stream_prefix);
    auto hub = std::make_shared<streams::Hub>(std::make_shared<CoreHost>(core), std::move(options));
    core.on_notice([weak = std::weak_ptr{hub}](const std::shared_ptr<const Notice>& notice) {
        if (const auto held = weak.lock()) held->on_notice(notice);
    });
    core.on_stop([weak = std::weak_ptr{hub}] {
        if (const auto held = weak.lock()) held->stop("stopping");
    });
    return hub;
}

std::shared_ptr<streams::Hub> shared_hub(Core& core)
{
    if (!core.streams()) {
        core.catch_up(); // what was published before the hub was there is not told to it
        core.streams() = make_hub(core);
    }
    return std::static_pointer_cast<streams::Hub>(core.streams());
}

} // namespace

streams::Hub& hub_of(Core& core)
{
    return *shared_hub(core);
}

std::weak_ptr<streams::Hub> weak_hub_of(Core& core)
{
    return shared_hub(core);
}

void read_rows(Core& core, const std::string& tenant, std::function<void(Reads&)> work,
               std::function<streams::Rows()> rows, RowsThen then)
{
    const auto head = std::make_shared<streams::Cursor>();
    const bool both = tenant != shared_tenant && lists_shared(*core.definitions(), tenant);
    const auto with_head = [work = std::move(work), head, tenant, both](Reads& reads) {
        work(reads);
        head->seq = reads.ledger_head(tenant).head;
        if (both) head->shared = reads.ledger_head(shared_tenant).head;
    };
    core.off_loop(with_head, [hub = weak_hub_of(core), head, tenant, rows = std::move(rows),
                              then = std::move(then)](std::exception_ptr error) {
        if (error) return then(nullptr);
        if (const auto held = hub.lock())
            held->when_both_applied(tenant, head->seq, head->shared,
                                    [rows, then] { then(std::make_shared<const streams::Rows>(rows())); });
    });
}

std::optional<streams::Grant> grant_of(Core& core, const Caller& caller)
{
    streams::Grant grant;
    const auto tenant = core.definitions()->tenants.find(caller.tenant);
    const std::int64_t most = tenant == core.definitions()->tenants.end() ? 0 : tenant->second.limits.streams;
    grant.slot = core.services().streams->take(caller.tenant, most);
    if (!grant.slot) return std::nullopt;
    grant.token = caller.token;
    grant.scope = caller.scope;
    grant.expires_at = caller.expires_at;
    grant.ticket = caller.ticket;
    // Asked by the core's own hub, which ends with it. A token that expired is told of by its time.
    grant.revoked = [&core, caller] { return core.gate().standing(caller, core.now()) == Gate::Standing::revoked; };
    return grant;
}

void end_earlier_stream(Core& core, std::uint64_t ticket, std::uint64_t number)
{
    if (ticket == 0) return;
    const std::string name = hub_of(core).name_of(number);
    const auto& on_loop = core.services().on_loop;
    hub_of(core).end_ticket(ticket, name);
    for (int loop = 0; on_loop; ++loop) {
        if (loop == core.index()) continue;
        const bool there = on_loop(loop, [ticket, name](Core& other) { hub_of(other).end_ticket(ticket, name); });
        if (!there) return;
    }
}

std::string stream_prefix(const Services& services, int loop)
{
    return fmt::format("s_{}-{}", services.instance, loop);
}

std::string stream_name(Core& core, std::uint64_t number)
{
    return fmt::format("{}-{}", stream_prefix(core.services(), core.index()), number);
}

std::optional<int> loop_of_stream(const Services& services, std::string_view name)
{
    const std::string begin = fmt::format("s_{}-", services.instance);
    if (!name.starts_with(begin)) return std::nullopt;
    name.remove_prefix(begin.size());
    const auto loop = parse_count(name.substr(0, name.find('-')));
    if (!loop || *loop > 4096) return std::nullopt;
    return static_cast<int>(*loop);
}

} // namespace freshet::http
