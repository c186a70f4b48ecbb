// SPDX-License-Identifier: Apache-2.0
#include "bench/http/server_cpu.hpp"

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace freshet::bench {

namespace fs = std::filesystem;

namespace {

pid_t number_in(std::string_view text)
{
    pid_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

// The fourth field of /proc/PID/stat; the second may hold spaces and brackets, so count from its last bracket.
pid_t parent_of(pid_t pid)
{
    std::ifstream in{fmt::format("/proc/{}/stat", pid)};
    std::string line;
    std::getline(in, line);
    const auto bracket = line.rfind(')');
    if (bracket == std::string::npos || line.size() < bracket + 5) return 0;
    const std::string_view rest = std::string_view{line}.substr(bracket + 4);
    return number_in(rest.substr(0, rest.find(' ')));
}

std::chrono::nanoseconds cpu_of(pid_t pid)
{
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

} // namespace

std::chrono::nanoseconds cpu_of_tree(pid_t root)
{
    std::unordered_multimap<pid_t, pid_t> children;
    for (const auto& entry : fs::directory_iterator{"/proc"})
        if (const pid_t pid = number_in(entry.path().filename().string()); pid != 0)
            children.emplace(parent_of(pid), pid);
    std::vector<pid_t> tree{root};
    std::chrono::nanoseconds total{};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        total += cpu_of(tree[i]);
        const auto [first, last] = children.equal_range(tree[i]);
        for (auto at = first; at != last; ++at) tree.push_back(at->second);
    }
    if (total.count() == 0) throw std::runtime_error{fmt::format("there is no process {}", root)};
    return total;
}

} // namespace freshet::bench
