// SPDX-License-Identifier: Apache-2.0
#include "backup/backup_file.hpp"

#include "backup/page.hpp"
#include "base/running_hash.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include <zstd.h>

namespace freshet {

namespace {

constexpr int level = 3;
constexpr const char* another_backup = "another backup, or make a new one";

[[noreturn]] void fail_of_system(std::string_view doing, const std::string& what, int error)
{
    throw BackupFailure{fmt::format("{} {}: {}", doing, what, std::strerror(error)),
                        error == ENOSPC || error == EDQUOT ? "free space on that disk, or another disk"
                                                           : "another place, or look at its rights"};
}

Descriptor open_file(const std::filesystem::path& path, int flags)
{
    Descriptor file{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
    if (!file) fail_of_system((flags & O_CREAT) != 0 ? "cannot make" : "cannot open", path.string(), errno);
    return file;
}

void write_all(int file, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail_of_system("cannot write", "the file", written == 0 ? ENOSPC : errno);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// The next bytes; empty at the end.
std::string_view read_some(int file, std::vector<char>& buffer)
{
    while (true) {
        const ssize_t size = ::read(file, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) fail_of_system("cannot read", "the file", errno);
        return {buffer.data(), static_cast<std::size_t>(size)};
    }
}

void sync_file(int file)
{
    if (::fsync(file) != 0) fail_of_system("cannot sync", "the file", errno);
}

void go_on(const BackupProgress& progress, std::int64_t done, std::int64_t total)
{
    if (progress && !progress(done, total)) throw BackupFailure{"it was stopped", "the same again"};
}

void check(std::size_t result)
{
    if (ZSTD_isError(result) != 0)
        throw BackupFailure{fmt::format("the backup is damaged: {}", ZSTD_getErrorName(result)), another_backup};
}

template <class T, std::size_t (*Free)(T*)>
struct Freed {
    void operator()(T* context) const { Free(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, Freed<ZSTD_CCtx, ZSTD_freeCCtx>>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, Freed<ZSTD_DCtx, ZSTD_freeDCtx>>;

} // namespace

BackupManifest write_backup(const std::filesystem::path& database, const StoreFacts& facts, WallTime now, int file,
                            const BackupProgress& progress)
{
    const Descriptor from = open_file(database, O_RDONLY);
    BackupManifest manifest{.format = backup_format,
                            .schema = newest_store_schema(),
                            .freshet = FRESHET_VERSION,
                            .created_at = now,
                            .epoch = facts.epoch,
                            .numbers_base = facts.numbers_base,
                            .database_bytes = static_cast<std::int64_t>(std::filesystem::file_size(database)),
                            .rows = facts.rows};
    write_all(file, std::string(backup_page_bytes, '\0')); // its place; it is written when all is known
    const Compressor compressor{ZSTD_createCCtx()};
    check(ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel, level));
    check(ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_checksumFlag, 1));
    check(ZSTD_CCtx_setPledgedSrcSize(compressor.get(), static_cast<unsigned long long>(manifest.database_bytes)));
    std::vector<char> in(ZSTD_CStreamInSize()), out(ZSTD_CStreamOutSize());
    RunningHash hash;
    manifest.bytes = backup_page_bytes;
    std::int64_t done = 0;
    for (bool last = false; !last;) {
        const std::string_view bytes = read_some(from.get(), in);
        done += static_cast<std::int64_t>(bytes.size());
        last = bytes.empty();
        go_on(progress, done, manifest.database_bytes);
        ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
        for (bool taken = false; !taken;) {
            ZSTD_outBuffer output{out.data(), out.size(), 0};
            const std::size_t left =
                ZSTD_compressStream2(compressor.get(), &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
            check(left);
            taken = last ? left == 0 : input.pos == input.size;
            const std::string_view packed{out.data(), output.pos};
            hash.add(packed);
            write_all(file, packed);
            manifest.bytes += static_cast<std::int64_t>(packed.size());
        }
    }
    manifest.checksum = hash.value();
    if (::lseek(file, 0, SEEK_SET) != 0) fail_of_system("cannot write", "the file", errno);
    write_all(file, make_page(manifest));
    sync_file(file);
    return manifest;
}

BackupManifest read_backup_page(const std::filesystem::path& path)
{
    const Descriptor file = open_file(path, O_RDONLY);
    std::vector<char> page(backup_page_bytes);
    std::size_t have = 0;
    while (have < page.size()) {
        const ssize_t size = ::read(file.get(), page.data() + have, page.size() - have);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) fail_of_system("cannot read", path.string(), errno);
        if (size == 0) break;
        have += static_cast<std::size_t>(size);
    }
    const BackupManifest manifest = parse_page({page.data(), have});
    struct stat found{};
    if (::fstat(file.get(), &found) != 0) fail_of_system("cannot read", path.string(), errno);
    if (found.st_size != manifest.bytes)
        throw BackupFailure{fmt::format("the backup is {}: it has {} bytes and should have {}",
                                        found.st_size < manifest.bytes ? "cut short" : "damaged", found.st_size,
                                        manifest.bytes),
                            another_backup};
    return manifest;
}

void unpack_backup(const std::filesystem::path& path, const BackupManifest& manifest,
                   const std::filesystem::path& database, const BackupProgress& progress)
{
    const Descriptor file = open_file(path, O_RDONLY);
    const Descriptor to = open_file(database, O_WRONLY | O_CREAT | O_EXCL);
    if (::lseek(file.get(), backup_page_bytes, SEEK_SET) < 0) fail_of_system("cannot read", path.string(), errno);
    const Decompressor decompressor{ZSTD_createDCtx()};
    std::vector<char> in(ZSTD_DStreamInSize()), out(ZSTD_DStreamOutSize());
    RunningHash hash;
    std::int64_t done = backup_page_bytes, unpacked = 0;
    std::size_t wanted = 1;
    for (std::string_view bytes = read_some(file.get(), in); !bytes.empty(); bytes = read_some(file.get(), in)) {
        hash.add(bytes);
        done += static_cast<std::int64_t>(bytes.size());
        go_on(progress, done, manifest.bytes);
        ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
        while (input.pos < input.size) {
            ZSTD_outBuffer output{out.data(), out.size(), 0};
            wanted = ZSTD_decompressStream(decompressor.get(), &output, &input);
            check(wanted);
            unpacked += static_cast<std::int64_t>(output.pos);
            if (unpacked > manifest.database_bytes)
                throw BackupFailure{"the backup is damaged: it holds more than its page says", another_backup};
            write_all(to.get(), {out.data(), output.pos});
        }
    }
    if (hash.value() != manifest.checksum)
        throw BackupFailure{"the backup is damaged: its checksum is not that of its page", another_backup};
    if (wanted != 0 || unpacked != manifest.database_bytes)
        throw BackupFailure{"the backup is damaged: it ends too early", another_backup};
    sync_file(to.get());
}

StoreFacts verify_backup(const std::filesystem::path& file, const BackupManifest& manifest,
                         const std::filesystem::path& scratch, const BackupProgress& progress)
{
    unpack_backup(file, manifest, scratch, progress);
    try {
        StoreFacts facts = check_store(scratch);
        if (facts.rows == manifest.rows && facts.epoch == manifest.epoch) return facts;
        throw BackupFailure{"the backup is damaged: it holds other rows than its page says", another_backup};
    } catch (const StoreFailure& failure) {
        throw BackupFailure{fmt::format("the backup can not be used: {}", failure.what()), another_backup};
    }
}

std::filesystem::path database_of(const std::filesystem::path& data_dir)
{
    return data_dir / "freshet.db";
}

ScratchFile::ScratchFile(const std::filesystem::path& folder)
{
    std::random_device random;
    path_ = folder / fmt::format("{}{:08x}{:08x}", scratch_prefix, random(), random());
}

ScratchFile::~ScratchFile()
{
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        std::filesystem::remove(path_.string() + suffix, ignored);
}

void sweep_scratch(const std::filesystem::path& folder)
{
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{folder, error})
        if (entry.path().filename().string().starts_with(scratch_prefix)) std::filesystem::remove(entry.path(), error);
}

} // namespace freshet
