// SPDX-License-Identifier: Apache-2.0
#include "app/local_token.hpp"

#include "base/descriptor.hpp"
#include "base/failure.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace freshet {

namespace {

constexpr std::size_t token_bytes = 32;
constexpr std::string_view token_prefix = "freshet_cli_";
constexpr std::size_t token_size = token_prefix.size() + 2 * token_bytes;

bool well_formed(std::string_view token)
{
    return token.size() == token_size && token.starts_with(token_prefix) &&
           token.substr(token_prefix.size()).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Empty unless the file is a plain one, belongs to us, nobody else may open it, and it holds a token.
std::string kept_token(const std::filesystem::path& file)
{
    const Descriptor fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat is{};
    if (!fd || ::fstat(fd.get(), &is) != 0 || !S_ISREG(is.st_mode) || is.st_uid != ::geteuid()) return {};
    if ((is.st_mode & 077) != 0) return {};
    std::string token(token_size, '\0');
    const auto size = ::read(fd.get(), token.data(), token.size());
    return size == static_cast<ssize_t>(token.size()) && well_formed(token) ? token : std::string{};
}

} // namespace

std::string random_hex(std::size_t bytes)
{
    if (sodium_init() < 0) throw Failure{"the system's random generator does not work"};
    std::vector<unsigned char> random(bytes);
    randombytes_buf(random.data(), random.size());
    std::string hex(2 * bytes + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), random.data(), random.size());
    hex.pop_back();
    return hex;
}

std::string local_token(const std::filesystem::path& data_dir)
{
    const std::filesystem::path file = data_dir / "cli-token";
    if (std::string kept = kept_token(file); !kept.empty()) return kept;

    // Under another name first, so that no reader ever finds half a token, and with the mode from the beginning.
    const std::filesystem::path fresh = data_dir / "cli-token.new";
    const std::string token = fmt::format("{}{}", token_prefix, random_hex(token_bytes));
    const std::string line = token + "\n";
    ::unlink(fresh.c_str());
    const Descriptor fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    const bool written = fd && ::write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (!written || ::rename(fresh.c_str(), file.c_str()) != 0)
        throw Failure{fmt::format("cannot write {}: {}", file.string(), std::strerror(errno))};
    return token;
}

} // namespace freshet
