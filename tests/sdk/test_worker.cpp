// SPDX-License-Identifier: Apache-2.0
#include "tests/sdk/test_worker.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace freshet::outside {

namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

/// The program of that name in PATH; empty: there is none.
std::string program(const std::string& name)
{
    std::string path = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
    while (!path.empty()) {
        const auto end = std::min(path.find(':'), path.size());
        const std::string file = path.substr(0, end) + "/" + name;
        if (access(file.c_str(), X_OK) == 0) return file;
        path.erase(0, end + 1);
    }
    return {};
}

Millis left(SteadyClock::time_point until)
{
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(until - SteadyClock::now()));
}

} // namespace

std::vector<Language> languages()
{
    const fs::path tree{FRESHET_SOURCE_DIR};
    std::vector<Language> all{{"cpp", {FRESHET_TEST_WORKER_CPP}, {}, {}}};
    const auto add = [&](std::string name, const std::string& interpreter, const fs::path& script, const fs::path& sdk,
                         std::map<std::string, std::string> environment) {
        Language language{
            std::move(name), {program(interpreter), (tree / script).string()}, std::move(environment), {}};
        if (language.command[0].empty())
            language.missing = interpreter;
        else if (!fs::exists(tree / script))
            language.missing = script.string();
        else if (!fs::exists(tree / sdk))
            language.missing = sdk.string();
        all.push_back(std::move(language));
    };
    add("python", "python3", "tests/sdk/python/test_worker.py", "sdk/python/src",
        {{"PYTHONPATH", (tree / "sdk/python/src").string()}});
    // Made by npm run build.
    add("node", "node", "tests/sdk/node/test_worker.mjs", "sdk/node/dist", {});
    return all;
}

TestWorker::TestWorker(const Language& language, const std::string& url, Variables variables, const std::string& log)
    : name_{language.name}
{
    variables.insert(language.environment.begin(), language.environment.end());
    variables["FRESHET_URL"] = url;
    std::vector<std::string> environment;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string text{*at};
        const std::string name = text.substr(0, text.find('='));
        if (!variables.contains(name) && name != "FRESHET_TOKEN") environment.push_back(text);
    }
    for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
    const auto pointers = [](std::vector<std::string>& texts) {
        std::vector<char*> list;
        for (std::string& text : texts) list.push_back(text.data());
        list.push_back(nullptr);
        return list;
    };

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe for a test worker"};
    out_ = ends[0];
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], 1);
    if (!log.empty())
        posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    posix_spawn_file_actions_addclosefrom_np(&files, 3); // no connection of the test outlives it there
    std::vector<std::string> command = language.command;
    const auto arguments = pointers(command), settings = pointers(environment);
    const int error = posix_spawn(&pid_, arguments[0], &files, nullptr, arguments.data(), settings.data());
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (error != 0) throw std::runtime_error{fmt::format("cannot start {}: error {}", command[0], error)};
    if (!await("ready")) throw std::runtime_error{fmt::format("the {} worker was not ready in time", name_)};
}

TestWorker::~TestWorker()
{
    kill();
    close(out_);
}

/// Reads once. False: nothing came.
bool TestWorker::read_for(Millis within)
{
    pollfd hear{out_, POLLIN, 0};
    if (poll(&hear, 1, static_cast<int>(within.count())) <= 0) return false;
    char bytes[4096];
    const ssize_t count = read(out_, bytes, sizeof bytes);
    if (count <= 0) return false;
    rest_.append(bytes, static_cast<std::size_t>(count));
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
        lines_.push_back(rest_.substr(0, end));
        rest_.erase(0, end + 1);
    }
    return true;
}

std::optional<std::string> TestWorker::await(const std::string& beginning, Millis within)
{
    const auto until = SteadyClock::now() + within;
    for (;;) {
        const auto found =
            std::ranges::find_if(lines_, [&](const std::string& line) { return line.starts_with(beginning); });
        if (found != lines_.end()) {
            std::string line = std::move(*found);
            lines_.erase(found);
            return line;
        }
        if (!read_for(left(until))) return std::nullopt;
    }
}

std::vector<std::string> TestWorker::take()
{
    while (read_for(Millis{0})) {
    }
    return std::exchange(lines_, {});
}

bool TestWorker::said(const std::string& beginning)
{
    while (read_for(Millis{0})) {
    }
    return std::ranges::any_of(lines_, [&](const std::string& line) { return line.starts_with(beginning); });
}

void TestWorker::signal(int number) const
{
    if (pid_ > 0) ::kill(pid_, number);
}

Millis TestWorker::computed() const
{
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) return Millis{0};
    return Millis{time.tv_sec * 1000 + time.tv_nsec / 1'000'000};
}

void TestWorker::kill()
{
    if (pid_ <= 0) return;
    signal(SIGKILL);
    await_end();
}

std::optional<int> TestWorker::await_end(Millis within)
{
    const auto until = SteadyClock::now() + within;
    while (pid_ > 0) {
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) == pid_) {
            exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            pid_ = -1;
            break;
        }
        if (left(until) == Millis{0}) return std::nullopt;
        // Its pipe ends with it, or has lines until then.
        if (!read_for(std::min(left(until), Millis{20}))) poll(nullptr, 0, 5);
    }
    return exit_code_;
}

std::optional<int> TestWorker::terminate(Millis within)
{
    signal(SIGTERM);
    return await_end(within);
}

} // namespace freshet::outside
