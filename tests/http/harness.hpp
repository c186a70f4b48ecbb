// SPDX-License-Identifier: Apache-2.0
#pragma once
// The real binary as a process, in a folder of its own, on a port of its own.
//
//   Upstream upstream;
//   upstream.set("/rates", R"([{"currency": "USD", "rate": 1}])");
//   Server server{fmt::format("[source.rates]\nurl = \"{}/rates\"\nkind = \"http\"\n...", upstream.url())};
//   EXPECT_EQ(server.client().get("/v1/data/rates").status, 200);
//   server.kill();                       // as a power cut would, but for the disk
//   server.start();                      // on the same data and port
//
// Life: the constructor writes the config and starts; the destructor ends the process, shows its log if the test
// failed, and removes the folder. Threads: one.

#include "base/time.hpp"
#include "tests/http/client.hpp"
#include "tests/http/event_stream.hpp"
#include "tests/http/upstream.hpp"

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace freshet::outside {

struct ServerOptions {
    std::string server;                 ///< further lines of [server]
    std::vector<std::string> arguments; ///< of serve, beside --config
    bool start = true;
};

class Server {
public:
    /// @param config  everything but [server]. @throws std::runtime_error with the log when it does not come up.
    explicit Server(const std::string& config, ServerOptions options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Starts it on the same folder and port; returns when it answers.
    void start();
    /// As start(), for a server that is expected to refuse: its exit code, once it ended.
    int start_and_fail();

    /// SIGTERM. @return the exit code, or -1 when it did not end `within` and was killed.
    int terminate(Millis within = Millis{10'000});
    /// SIGKILL, and waits until it is gone.
    void kill();
    void signal(int number) const;
    bool running() const { return pid_ > 0; }
    pid_t pid() const { return pid_; }

    /// Replaces the config, without telling the server.
    void write_config(const std::string& config);

    const std::string& url() const { return url_; }
    /// With its own connection. On loopback without tokens it is an admin of "default".
    Client client(std::string token = {}) const { return Client{url_, std::move(token)}; }
    /// What the command line on this machine would use.
    std::string local_token() const;

    /// Everything that was logged since the folder was made.
    std::string log() const;
    /// True once the log holds that text; false when `within` is over first or the server has ended.
    bool await_log(const std::string& text, Millis within = Millis{10'000}) const;

    /// Processes below the server now.
    std::vector<pid_t> descendants() const;
    /// As descendants(), once there are `count`; those that are there when `within` is over.
    std::vector<pid_t> await_descendants(std::size_t count, Millis within = Millis{10'000}) const;

    /// Runs another command of the binary in the folder: exit code and stdout + stderr.
    std::pair<int, std::string> run(const std::vector<std::string>& arguments) const;

    const std::filesystem::path& folder() const { return folder_; }

private:
    void spawn();
    bool reap(Millis within);
    void await_ready();

    std::filesystem::path folder_;
    ServerOptions options_;
    std::string url_;
    int port_ = 0;
    pid_t pid_ = 0;
    int exit_code_ = 0;
    int out_ = -1; ///< its stdout
};

/// Those of `pids` that are still there (zombies of others count as gone) when `within` is over, or none as soon as so.
std::vector<pid_t> still_there(std::vector<pid_t> pids, Millis within = Millis{2'000});

/// Asks until `good`, at most `within`; the last answer.
Answer ask_until(const std::function<Answer()>& ask, const std::function<bool(const Answer&)>& good,
                 Millis within = Millis{10'000});

} // namespace freshet::outside
