// SPDX-License-Identifier: Apache-2.0
#include "tests/http/harness.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cctype>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <iterator>
#include <map>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace freshet::outside {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr Millis ready_within{20'000};
constexpr Millis look_again{5}; ///< for what has no descriptor to wait on

std::string read_file(const fs::path& file)
{
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// Starts the binary with its own signals and descriptors; out and err as given.
pid_t spawn_binary(std::vector<std::string> arguments, const fs::path& folder, int out, int err)
{
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, err, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawn_file_actions_addchdir_np(&files, folder.c_str());
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

    arguments.insert(arguments.begin(), FRESHET_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, FRESHET_BINARY, &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw std::runtime_error{fmt::format("cannot start {}: error {}", FRESHET_BINARY, error)};
    return pid;
}

int exit_code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A port that was free a moment ago.
int free_port()
{
    const boost::asio::ip::tcp::endpoint any{boost::asio::ip::address_v4::loopback(), 0};
    boost::asio::io_context io;
    return boost::asio::ip::tcp::acceptor{io, any}.local_endpoint().port();
}

/// State letter and parent of each process.
std::map<pid_t, std::pair<char, pid_t>> processes()
{
    std::map<pid_t, std::pair<char, pid_t>> all;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename().string();
        if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) continue;
        std::string stat;
        try {
            stat = read_file(entry.path() / "stat");
        } catch (const std::ios_base::failure&) {
            continue; // it ended while it was read
        }
        const auto paren = stat.rfind(')'); // the program's name before it may hold anything
        if (paren == std::string::npos || stat.size() < paren + 4) continue;
        all[std::stoi(name)] = {stat[paren + 2], std::stoi(stat.substr(paren + 4))};
    }
    return all;
}

} // namespace

Server::Server(const std::string& config, ServerOptions options) : options_{std::move(options)}
{
    std::string name = (fs::temp_directory_path() / "freshet-outside-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error{"cannot make a folder for the test"};
    folder_ = name;
    port_ = free_port();
    write_config(config);
    if (!options_.start) return;
    try {
        start();
    } catch (const std::runtime_error&) {
        // Somebody else was faster at the port.
        if (log().find("another program listens there") == std::string::npos) throw;
        port_ = free_port();
        write_config(config);
        start();
    }
}

Server::~Server()
{
    const std::vector<pid_t> children = running() ? descendants() : std::vector<pid_t>{};
    if (running()) kill();
    still_there(children); // they end with it; only then the folder may go
    if (out_ >= 0) ::close(out_);
    if (testing::Test::HasFailure()) std::cerr << "---- log of the server\n" << log() << "----\n";
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void Server::write_config(const std::string& config)
{
    // By renaming, as editors do, so that the server never reads half of it.
    const std::string text =
        fmt::format("[server]\nlisten = \"127.0.0.1:{}\"\ndata_dir = \"data\"\n{}\n{}", port_, options_.server, config);
    std::ofstream{folder_ / "freshet.toml.new", std::ios::binary} << text;
    fs::rename(folder_ / "freshet.toml.new", folder_ / "freshet.toml");
}

void Server::spawn()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe left"};
    const int err = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    std::vector<std::string> arguments{"serve", "--config", "freshet.toml"};
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    pid_ = spawn_binary(arguments, folder_, ends[1], err);
    ::close(ends[1]);
    ::close(err);
    if (out_ >= 0) ::close(out_);
    out_ = ends[0];
}

void Server::start()
{
    if (running()) throw std::runtime_error{"the server runs already"};
    spawn();
    await_ready();
}

int Server::start_and_fail()
{
    spawn();
    if (!reap(ready_within)) {
        kill();
        throw std::runtime_error{"the server came up, or did not end"};
    }
    return exit_code_;
}

void Server::await_ready()
{
    const auto until = SteadyClock::now() + ready_within;
    std::string said;
    while (said.find('\n') == std::string::npos) {
        const auto left = std::chrono::duration_cast<Millis>(until - SteadyClock::now());
        pollfd one{out_, POLLIN, 0};
        char bytes[512];
        const bool came = left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) == 1;
        const auto size = came ? ::read(out_, bytes, sizeof bytes) : 0;
        if (size <= 0) {
            const bool ended = reap(Millis{1'000});
            const std::string why = ended ? fmt::format("ended with {}", exit_code_) : "does not come up";
            if (!ended) kill();
            throw std::runtime_error{fmt::format("the server {}; its log:\n{}", why, log())};
        }
        said.append(bytes, static_cast<std::size_t>(size));
    }
    const auto address = said.find("http://");
    if (address == std::string::npos) throw std::runtime_error{"the server's first line names no address: " + said};
    url_ = said.substr(address, said.find_first_of(" \n", address) - address);
}

bool Server::reap(Millis within)
{
    const auto until = SteadyClock::now() + within;
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) != pid_) {
        if (SteadyClock::now() >= until) return false;
        std::this_thread::sleep_for(look_again);
    }
    exit_code_ = exit_code_of(status);
    pid_ = 0;
    return true;
}

int Server::terminate(Millis within)
{
    signal(SIGTERM);
    if (reap(within)) return exit_code_;
    kill();
    return -1;
}

void Server::kill()
{
    signal(SIGKILL);
    reap(Millis{10'000});
}

void Server::signal(int number) const
{
    if (!running()) throw std::runtime_error{"the server does not run"};
    ::kill(pid_, number);
}

std::string Server::local_token() const
{
    std::string line;
    std::ifstream in{folder_ / "data" / "cli-token"};
    std::getline(in, line);
    return line;
}

std::string Server::log() const
{
    return read_file(folder_ / "log");
}

bool Server::await_log(const std::string& text, Millis within) const
{
    const auto until = SteadyClock::now() + within;
    while (log().find(text) == std::string::npos) {
        if (SteadyClock::now() >= until) return false;
        std::this_thread::sleep_for(look_again);
    }
    return true;
}

std::vector<pid_t> Server::descendants() const
{
    const auto all = processes();
    std::vector<pid_t> below;
    for (const auto& [pid, about] : all) {
        // Up to the server, or to the root.
        for (auto at = all.find(about.second); at != all.end(); at = all.find(at->second.second))
            if (at->first == pid_) {
                below.push_back(pid);
                break;
            }
    }
    return below;
}

std::vector<pid_t> Server::await_descendants(std::size_t count, Millis within) const
{
    const auto until = SteadyClock::now() + within;
    while (true) {
        std::vector<pid_t> below = descendants();
        if (below.size() >= count || SteadyClock::now() >= until) return below;
        std::this_thread::sleep_for(look_again);
    }
}

std::pair<int, std::string> Server::run(const std::vector<std::string>& arguments) const
{
    const fs::path output = folder_ / "output";
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    const pid_t pid = spawn_binary(arguments, folder_, out, out);
    ::close(out);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return {exit_code_of(status), read_file(output)};
}

std::vector<pid_t> still_there(std::vector<pid_t> pids, Millis within)
{
    const auto until = SteadyClock::now() + within;
    while (true) {
        const auto all = processes();
        std::erase_if(pids, [&](pid_t pid) {
            const auto found = all.find(pid);
            return found == all.end() || found->second.first == 'Z';
        });
        if (pids.empty() || SteadyClock::now() >= until) return pids;
        std::this_thread::sleep_for(look_again);
    }
}

Answer ask_until(const std::function<Answer()>& ask, const std::function<bool(const Answer&)>& good, Millis within)
{
    const auto until = SteadyClock::now() + within;
    while (true) {
        Answer answer = ask();
        if (good(answer) || SteadyClock::now() >= until) return answer;
        std::this_thread::sleep_for(look_again);
    }
}

} // namespace freshet::outside
