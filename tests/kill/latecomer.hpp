// SPDX-License-Identifier: Apache-2.0
#pragma once
// A worker without an SDK and without beats. Of what it claims it ends a part at once; the rest it holds until the job
// was given to another, and answers then: such an answer must be refused with 409, and kept.
//
// Life: works from its constructor to stop(). The server may go away and come back in the midst of anything: what got
// no answer is said again. Threads: its own; counts are read after stop().

#include "tests/http/harness.hpp"

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace freshet::outside {

/// As Client::ask, repeated over a server that is away or busy.
Answer ask_through(Client& client, const std::string& method, const std::string& path, const Headers& headers = {},
                   const std::string& body = {});

class Latecomer {
public:
    Latecomer(std::string url, std::string queue, unsigned seed);
    ~Latecomer();
    Latecomer(const Latecomer&) = delete;
    Latecomer& operator=(const Latecomer&) = delete;

    /// Claims no more and answers what it holds, once it is too late for that.
    void stop();

    int refused() const { return refused_; }
    int kept() const { return kept_; }
    /// Jobs whose end was acknowledged, and the result that was.
    const std::map<std::string, std::string>& acknowledged() const { return acknowledged_; }

private:
    struct Held {
        std::string job, fence;
        int attempt = 0;
        std::string seq = "0"; ///< of the job when it was last looked at
    };
    void work();
    void claim();
    void complete_at_once(const Held& held);
    /// False: it is not late yet.
    bool answer_late(Held& held);

    std::string queue_;
    Client client_;
    std::mt19937 random_;
    std::vector<Held> held_;
    std::map<std::string, std::string> acknowledged_;
    int claims_ = 0, refused_ = 0, kept_ = 0;
    std::atomic<bool> leave_{false};
    std::thread thread_;
};

} // namespace freshet::outside
