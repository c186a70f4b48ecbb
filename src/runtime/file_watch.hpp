// SPDX-License-Identifier: Apache-2.0
#pragma once
// Notices that a file was saved, whichever way its editor does it.
//
// It watches the folder, since editors write another file and rename it, and configuration managers swap a link beside
// it; so changed() may also speak of a neighbour: whoever is told compares the content. Life and threads: one owner.

#include "base/descriptor.hpp"

#include <filesystem>

namespace freshet {

class FileWatch {
public:
    /// Without inotify (no watch left, a file system that has none) fd() is -1 and nothing is ever noticed.
    explicit FileWatch(const std::filesystem::path& file);
    /// Readable when changed() has something to say; -1: never.
    int fd() const { return fd_.get(); }
    /// True if something in the folder was written, renamed or linked since the last call. Never blocks.
    bool changed();

private:
    Descriptor fd_;
};

} // namespace freshet
