// SPDX-License-Identifier: Apache-2.0
#include "engine/tail.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace freshet {

Tail::Tail(int cores)
{
    for (int i = 0; i < cores; ++i) inboxes_.push_back(std::make_unique<Inbox>());
}

void Tail::on_wake(int core, std::function<void()> wake)
{
    inboxes_.at(static_cast<std::size_t>(core))->wake = std::move(wake);
}

void Tail::put(Inbox& inbox, Entry entry)
{
    const std::lock_guard lock{inbox.mutex};
    inbox.entries.push_back(std::move(entry));
    inbox.size.store(inbox.entries.size(), std::memory_order_relaxed);
    inbox.has_new = true;
}

void Tail::publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies)
{
    if (notice) {
        const std::uint64_t position = notice->position;
        FRESHET_ASSERT(position == published_.load(std::memory_order_relaxed) + 1);
        for (const auto& inbox : inboxes_) put(*inbox, {position, notice, {}});
        published_.store(position, std::memory_order_release);
    }
    for (Delivery& delivery : replies) {
        if (delivery.core < 0)
            delivery.reply();
        else
            put(*inboxes_.at(static_cast<std::size_t>(delivery.core)),
                {published_.load(std::memory_order_relaxed), nullptr, std::move(delivery.reply)});
    }
    // Once for all of it: a core that is woken for each piece goes to sleep again behind each.
    for (const auto& inbox : inboxes_) {
        if (!std::exchange(inbox->has_new, false)) continue;
        if (inbox->wake) inbox->wake();
    }
}

void Tail::drain(int core, std::uint64_t position,
                 const std::function<void(const std::shared_ptr<const Notice>&)>& on_notice,
                 const std::function<void(std::function<void()>)>& on_reply)
{
    Inbox& inbox = *inboxes_.at(static_cast<std::size_t>(core));
    std::deque<Entry> taken;
    {
        const std::lock_guard lock{inbox.mutex};
        while (!inbox.entries.empty() && inbox.entries.front().position <= position) {
            taken.push_back(std::move(inbox.entries.front()));
            inbox.entries.pop_front();
        }
        inbox.size.store(inbox.entries.size(), std::memory_order_relaxed);
    }
    for (Entry& entry : taken) {
        if (entry.notice)
            on_notice(entry.notice);
        else
            on_reply(std::move(entry.reply));
    }
}

std::size_t Tail::backlog() const
{
    std::size_t most = 0;
    for (const auto& inbox : inboxes_) most = std::max(most, inbox->size.load(std::memory_order_relaxed));
    return most;
}

} // namespace freshet
