// SPDX-License-Identifier: Apache-2.0
#include "app/disk_reserve.hpp"

#include "base/descriptor.hpp"
#include "base/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace freshet {

namespace {

std::optional<std::int64_t> free_bytes_of(const std::filesystem::path& folder)
{
    struct statvfs disk{};
    if (statvfs(folder.c_str(), &disk) != 0) return std::nullopt;
    return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

} // namespace

DiskReserve::DiskReserve(std::filesystem::path data_dir, FreeBytes free)
    : file_{data_dir / "freshet.reserve"},
      free_{free ? std::move(free) : [data_dir] { return free_bytes_of(data_dir); }}
{
    // What the process before kept is kept.
    std::error_code error;
    held_ = std::filesystem::file_size(file_, error) == static_cast<std::uintmax_t>(bytes) && !error;
}

std::string DiskReserve::words() const
{
    const std::lock_guard lock{mutex_};
    return words_;
}

void DiskReserve::set(std::string words)
{
    const std::lock_guard lock{mutex_};
    words_ = std::move(words);
}

std::string DiskReserve::look(SteadyTime now)
{
    if (now < next_look_) return words();
    next_look_ = now + looked_every;
    const auto free = free_();
    if (!free) return words();
    const bool was_full = !words().empty();
    if (held_ && *free < room_least) give_up();
    // Twice the room: the state does not flutter around one line.
    if (!held_ && *free >= bytes + room_least * (was_full ? 2 : 1)) held_ = take();
    if (held_) {
        if (was_full) log::info("the disk has room again; new work is taken on", {{"free_mib", *free >> 20}});
        set({});
        return {};
    }
    if (!was_full) log::warn("the disk is full: what runs can end, new work is refused", {{"free_mib", *free >> 20}});
    set(fmt::format("the disk that holds data_dir is full ({} MiB left); new work is taken on when {} MiB are free",
                    *free >> 20, (bytes + room_least * 2) >> 20));
    return words();
}

bool DiskReserve::take()
{
    const Descriptor file{::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (!file) {
        log::warn("no file could be made to keep room on the disk", {{"file", file_.string()}});
        return true; // then there is none to give up, either
    }
    if (posix_fallocate(file.get(), 0, bytes) == 0) return true;
    (void)!ftruncate(file.get(), 0);
    return false;
}

void DiskReserve::give_up()
{
    held_ = false;
    const Descriptor file{::open(file_.c_str(), O_RDWR | O_CLOEXEC)};
    if (file && ftruncate(file.get(), 0) != 0)
        log::warn("the reserve could not be given up", {{"file", file_.string()}});
}

} // namespace freshet
