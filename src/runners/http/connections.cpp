// SPDX-License-Identifier: Apache-2.0
#include "runners/http/connections.hpp"

#include "base/assert.hpp"
#include "base/failure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <curl/curl.h>
#include <mutex>
#include <optional>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vector>

namespace freshet {

struct Connections::Pool {
    Connections& owner;
    CURLM* multi = nullptr;
    std::optional<SteadyTime> timer;
    std::size_t transfers = 0;
    SteadyTime quiet_since{};
};

struct Connections::Callbacks {
    static int watch(CURL*, curl_socket_t socket, int what, void* data, void*) noexcept
    {
        Pool& pool = *static_cast<Pool*>(data);
        Connections& self = pool.owner;
        if (what == CURL_POLL_REMOVE) {
            self.by_socket_.erase(socket);
            epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket,
                      nullptr); // fails where it is closed already, which is as good
            return 0;
        }
        epoll_event event{};
        event.data.fd = socket;
        if (what & CURL_POLL_IN) event.events |= EPOLLIN;
        if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
        const bool known = !self.by_socket_.insert_or_assign(socket, &pool).second;
        if (known && epoll_ctl(self.epoll_, EPOLL_CTL_MOD, socket, &event) == 0) return 0;
        epoll_ctl(self.epoll_, EPOLL_CTL_ADD, socket, &event);
        return 0;
    }

    static int set_timer(CURLM*, long wait_ms, void* data) noexcept
    {
        Pool& pool = *static_cast<Pool*>(data);
        // Never early: libcurl does not set the same timer again when it is called before its time, and our clock's
        // milliseconds are cut off.
        if (wait_ms < 0)
            pool.timer.reset();
        else
            pool.timer = pool.owner.clock_.steady() + Millis{wait_ms == 0 ? 0 : wait_ms + 1};
        return 0;
    }
};

Connections::Connections(const Clock& clock, std::function<void(Transfer&, int)> done)
    : clock_{clock}, done_{std::move(done)}
{
    static std::once_flag once;
    std::call_once(once, [] { FRESHET_ASSERT(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK); });
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wake_ < 0)
        throw Failure{"the http runner cannot open its descriptors: are there too many open files?"};
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

Connections::~Connections()
{
    FRESHET_ASSERT(by_transfer_.empty());
    for (auto& [name, pool] : pools_) curl_multi_cleanup(pool->multi);
    close(epoll_);
    close(wake_);
}

void Connections::add(const std::string& name, Transfer& transfer)
{
    auto& pool = pools_[name];
    if (!pool) {
        pool.reset(new Pool{*this});
        pool->multi = curl_multi_init();
        FRESHET_ASSERT(pool->multi != nullptr);
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, &Callbacks::watch);
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool.get());
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, &Callbacks::set_timer);
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool.get());
        curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, kept_per_pool_max);
    }
    ++pool->transfers;
    by_transfer_.emplace(&transfer, pool.get());
    const CURLMcode code = curl_multi_add_handle(pool->multi, transfer.handle());
    FRESHET_ASSERT(code == CURLM_OK);
}

void Connections::remove(Transfer& transfer)
{
    const auto found = by_transfer_.find(&transfer);
    if (found == by_transfer_.end()) return;
    Pool& pool = *found->second;
    by_transfer_.erase(found);
    curl_multi_remove_handle(pool.multi, transfer.handle());
    if (--pool.transfers == 0) pool.quiet_since = clock_.steady();
}

void Connections::act(Pool& pool, int socket, int what)
{
    int running = 0;
    curl_multi_socket_action(pool.multi, socket, what, &running);
    collect(pool);
}

// Finished transfers leave the pool before anyone hears of them, so `done` may do as it likes. Messages are not kept
// over calls that may change the queue.
void Connections::collect(Pool& pool)
{
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(pool.multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        char* data = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
        auto& transfer = *static_cast<Transfer*>(static_cast<void*>(data));
        remove(transfer);
        done_(transfer, code);
    }
}

Millis Connections::until_next_timer(Millis longest) const
{
    const SteadyTime now = clock_.steady();
    for (const auto& [name, pool] : pools_)
        if (pool->timer) longest = std::min(longest, std::max<Millis>(*pool->timer - now, 0ms));
    return longest;
}

void Connections::run_timers()
{
    const SteadyTime now = clock_.steady();
    // `done` may make pools but never removes one, and a map's places stand still meanwhile.
    for (auto& [name, pool] : pools_) {
        if (!pool->timer || *pool->timer > now) continue;
        pool->timer.reset();
        act(*pool, CURL_SOCKET_TIMEOUT, 0);
    }
}

void Connections::close_idle()
{
    const SteadyTime now = clock_.steady();
    std::erase_if(pools_, [&](const auto& entry) {
        const Pool& pool = *entry.second;
        if (pool.transfers > 0 || now - pool.quiet_since < idle_max) return false;
        curl_multi_cleanup(pool.multi);
        return true;
    });
}

void Connections::run(Millis longest)
{
    std::array<epoll_event, 64> events{};
    const Millis wait = until_next_timer(pools_.empty() ? longest : std::min(longest, idle_max));
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(wait.count()));
    FRESHET_ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) {
        const int socket = events[static_cast<std::size_t>(i)].data.fd;
        const auto happened = events[static_cast<std::size_t>(i)].events;
        if (socket == wake_) {
            std::uint64_t value = 0;
            [[maybe_unused]] const auto size = read(wake_, &value, sizeof value);
            continue;
        }
        const auto found = by_socket_.find(socket);
        if (found == by_socket_.end()) continue; // closed by what was done a moment ago
        int what = 0;
        if (happened & EPOLLIN) what |= CURL_CSELECT_IN;
        if (happened & EPOLLOUT) what |= CURL_CSELECT_OUT;
        if (happened & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
        act(*found->second, socket, what);
    }
    run_timers();
    close_idle();
}

void Connections::wake()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto size = write(wake_, &one, sizeof one);
}

} // namespace freshet
