// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server over real sockets for tests: a store in memory, a tail, a manual clock, and an engine that does what the
// test says. The test's thread plays the engine: it takes what was posted, commits, publishes, and answers.

#include "base/clock.hpp"
#include "http/server.hpp"
#include "store/memory.hpp"

#include <arpa/inet.h>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace freshet::http {

/// Keeps what is asked until the test takes it.
class ScriptedEngine final : public EnginePort {
public:
    struct Posted {
        Request request;
        int core;
        ReplyTo reply;
    };
    bool post(Request request, int core, ReplyTo reply) override
    {
        const std::lock_guard lock{mutex_};
        if (full) return false;
        posted_.push_back({std::move(request), core, std::move(reply)});
        more_.notify_all();
        return true;
    }
    bool hint(Request request) override
    {
        const std::lock_guard lock{mutex_};
        hints_.push_back(std::move(request));
        return true;
    }
    Posted next()
    {
        std::unique_lock lock{mutex_};
        const bool came = more_.wait_for(lock, std::chrono::seconds{10}, [this] { return !posted_.empty(); });
        if (!came) throw std::runtime_error{"nothing was asked of the engine"};
        Posted first = std::move(posted_.front());
        posted_.pop_front();
        return first;
    }
    std::size_t posted()
    {
        const std::lock_guard lock{mutex_};
        return posted_.size();
    }
    std::vector<Request> hints()
    {
        const std::lock_guard lock{mutex_};
        return hints_;
    }
    bool full = false;

private:
    std::mutex mutex_;
    std::condition_variable more_;
    std::deque<Posted> posted_;
    std::vector<Request> hints_;
};

struct Answered {
    int status = 0;
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;
    std::string header(const std::string& name) const { return headers.contains(name) ? headers.at(name) : ""; }
    /// A member of the Freshet dictionary, as text.
    std::string freshet(const std::string& name) const
    {
        const std::string all = ", " + header("freshet") + ",";
        const auto at = all.find(", " + name + "=");
        if (at == std::string::npos) return "";
        const auto from = at + name.size() + 3;
        return all.substr(from, all.find(',', from) - from);
    }
};

/// A blocking connection that says exactly what the test says.
class RawClient {
public:
    explicit RawClient(int port)
    {
        socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const timeval limit{10, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error{std::string{"connect: "} + std::strerror(errno)};
    }
    ~RawClient() { ::close(socket_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// The next answer. @param bodiless  of a HEAD.
    Answered read(bool bodiless = false)
    {
        Answered answer;
        while (buffer_.find("\r\n\r\n") == std::string::npos)
            if (!fill()) return answer;
        const auto end = buffer_.find("\r\n\r\n");
        const std::string head = buffer_.substr(0, end + 2);
        buffer_.erase(0, end + 4);
        answer.status = std::stoi(head.substr(9, 3));
        for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
            const auto line_end = head.find("\r\n", at);
            const std::string line = head.substr(at, line_end - at);
            const auto colon = line.find(": ");
            std::string name = line.substr(0, colon);
            for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            answer.headers[name] = line.substr(colon + 2);
            at = line_end + 2;
        }
        if (bodiless || !answer.headers.contains("content-length")) return answer;
        const auto length = static_cast<std::size_t>(std::stoul(answer.headers["content-length"]));
        while (buffer_.size() < length)
            if (!fill()) break;
        answer.body = buffer_.substr(0, length);
        buffer_.erase(0, length);
        return answer;
    }
    Answered ask(const std::string& method, const std::string& target, const std::string& headers = "",
                 const std::string& body = "")
    {
        std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
        if (!body.empty())
            request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        send(request + "\r\n" + body);
        return read(method == "HEAD");
    }
    Answered get(const std::string& target, const std::string& headers = "") { return ask("GET", target, headers); }
    /// True once the server has closed its side.
    bool closed()
    {
        while (fill()) {
        }
        return at_end_;
    }
    std::string& buffer() { return buffer_; }
    /// For what must not come: bytes that do are seen at once.
    bool readable_within(Millis wait) const
    {
        pollfd readable{socket_, POLLIN, 0};
        return ::poll(&readable, 1, static_cast<int>(wait.count())) > 0;
    }
    bool fill()
    {
        char bytes[16384];
        const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) at_end_ = true;
        if (got <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

private:
    int socket_ = -1;
    std::string buffer_;
    bool at_end_ = false;
};

class World {
public:
    explicit World(int loops_count = 1) : loops{loops_count}, tail{loops_count}
    {
        definitions = std::make_shared<Definitions>();
        definitions->server.cache_bytes = 64 << 20;
        source("prices");
        source("region").params = {{"area", {"eu", "us"}, ""}};
    }
    ~World()
    {
        if (server) server->stop();
    }

    /// Declares a source, before start().
    SourceDefinition& source(const std::string& name)
    {
        auto made = std::make_shared<SourceDefinition>();
        made->name = made->queue = name;
        made->hash = definition_hash;
        SourceDefinition& open = *made;
        definitions->sources[name] = std::move(made);
        return open;
    }
    void start()
    {
        services.emplace(Services{metrics, reads, "test", "0", clock.wall(), 1, {}, nullptr, 1.0});
        server = std::make_unique<Server>(ServerOptions{"127.0.0.1:0", loops, clock, engine, tail, *services,
                                                        definitions, local_token, routes, nullptr, stop_within});
        server->start();
    }
    int port() const { return server->port(); }

    KeyView next_view(const std::string& key, const std::string& json)
    {
        KeyView view;
        const auto known = records.find(key);
        if (known != records.end()) view.record = known->second;
        KeyRecord& record = view.record;
        record.tenant = tenant;
        record.key = key;
        record.source = key.substr(0, key.find('/'));
        record.gen += 1;
        record.ver += 1;
        record.has_data = true;
        record.definition = definition_hash;
        record.hash = hash128(json);
        record.bytes = static_cast<std::int64_t>(json.size());
        record.checked_at = record.as_of = record.changed_at = clock.wall();
        record.attempts = 0;
        record.error.reset();
        auto body = std::make_shared<Body>();
        body->bytes = json;
        body->hash = record.hash;
        view.body = std::move(body);
        return view;
    }
    /// Writes the view to the store as its own commit.
    void commit(KeyView& view)
    {
        auto transaction = store.begin();
        KeyRecord& record = view.record;
        record.seq = transaction->append(record.tenant, Event{EventKind::change, "data/" + record.key, "{}", "", false},
                                         clock.wall());
        record.data_fence = record.seq;
        if (view.body) record.payload = transaction->put_payload(view.body->bytes);
        transaction->put_key(record);
        transaction->commit();
        records[record.key] = record;
    }
    std::shared_ptr<Notice> notice()
    {
        auto made = std::make_shared<Notice>();
        made->position = tail.published() + 1;
        return made;
    }
    /// On disk before anyone is told, as the engine does it.
    void keep(const std::vector<std::shared_ptr<const Job>>& jobs)
    {
        auto transaction = store.begin();
        for (const auto& kept : jobs) transaction->put_job(*kept, std::nullopt);
        transaction->commit();
    }
    void tell_jobs(std::vector<std::shared_ptr<const Job>> jobs)
    {
        keep(jobs);
        auto made = notice();
        made->jobs = std::move(jobs);
        tail.publish(std::move(made));
    }
    void tell(KeyView view, std::vector<std::shared_ptr<const Job>> jobs = {})
    {
        keep(jobs);
        auto made = notice();
        made->events.push_back({view.record.tenant, {LedgerEntry{view.record.seq, {}}}});
        made->keys.push_back(std::make_shared<KeyView>(std::move(view)));
        made->jobs = std::move(jobs);
        tail.publish(std::move(made));
    }
    /// A successful refresh: commit, then notice.
    KeyView publish(const std::string& key, const std::string& json)
    {
        KeyView view = next_view(key, json);
        commit(view);
        tell(view);
        return view;
    }
    /// The last attempt failed.
    KeyView fail(const std::string& key, const std::string& message, Millis retry_in)
    {
        KeyView view;
        if (records.contains(key)) view.record = records[key];
        view.record.tenant = tenant;
        view.record.key = key;
        view.record.source = key.substr(0, key.find('/'));
        view.record.attempts += 1;
        view.record.error = ErrorInfo{ErrorClass::retryable, "http_status", message};
        view.record.retry_at = clock.wall() + retry_in;
        commit(view);
        tell(view);
        return view;
    }
    void reload(std::shared_ptr<Definitions> next)
    {
        definitions = next;
        auto made = notice();
        made->definitions = std::move(next);
        tail.publish(std::move(made));
    }
    Job job(std::int64_t id, const std::string& key)
    {
        Job made;
        made.id = JobId{id};
        made.tenant = tenant;
        made.queue = key.substr(0, key.find('/'));
        made.key = key;
        made.requested_at = made.due_at = clock.wall();
        return made;
    }
    void reply(ScriptedEngine::Posted& posted, Reply answer)
    {
        tail.publish(nullptr,
                     {{posted.core, [reply = std::move(posted.reply), answer = std::move(answer)] { reply(answer); }}});
    }
    void advance(Millis by)
    {
        clock.advance(by);
        server->tick();
    }

    static constexpr std::uint64_t definition_hash = 77;
    int loops;
    std::string tenant = "default", local_token;
    Millis stop_within = 2s;
    std::vector<Routes> routes{data_routes(), refresh_routes(), purge_routes()};
    ManualClock clock;
    MemoryStore store;
    Metrics metrics;
    Reads reads{[this] { return store.reader(); }};
    Tail tail;
    ScriptedEngine engine;
    std::shared_ptr<Definitions> definitions;
    std::optional<Services> services;
    std::map<std::string, KeyRecord> records;
    std::unique_ptr<Server> server;
};

} // namespace freshet::http
