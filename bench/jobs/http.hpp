// SPDX-License-Identifier: Apache-2.0
#pragma once
// One HTTP connection that stays open and waits for each answer: what the benchmark of jobs says to the server besides
// the SDK. Threads: one at a time.

#include <string>
#include <string_view>

namespace freshet::bench {

class Http {
public:
    /// @throws std::runtime_error if nobody listens on this port of this machine.
    Http(int port, std::string token);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    /// @return the answer's body.
    /// @throws std::runtime_error if the connection ends or the answer is not a good one; its words are in it.
    std::string ask(std::string_view method, std::string_view path, std::string_view body = {});

private:
    int socket_ = -1;
    std::string token_, request_, bytes_;
};

} // namespace freshet::bench
