// SPDX-License-Identifier: Apache-2.0
#pragma once
// One server per data_dir: a flock on a file in it, which the kernel takes back when the process ends, however it ends.

#include <filesystem>

namespace freshet::sqlite {

class LockFile {
public:
    /// @throws StoreFailure if another server holds it, with that server's process id.
    explicit LockFile(const std::filesystem::path& path);
    ~LockFile();
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;

private:
    int fd_;
};

} // namespace freshet::sqlite
