// SPDX-License-Identifier: Apache-2.0
#pragma once
// SIGTERM, SIGINT and SIGHUP as something to read, instead of something that interrupts.
//
// Life: made by main before any thread starts, so that every thread inherits the mask; what we start as a process gets
// an empty mask from whoever starts it. Threads: one. The signals stay blocked when it ends: the process is ending.

#include "base/descriptor.hpp"

#include <optional>

namespace freshet {

class Signals {
public:
    /// @throws Failure when there is no descriptor left.
    Signals();
    /// Readable when take() has something.
    int fd() const { return fd_.get(); }
    /// The number of the next signal that came; nullopt when none did.
    std::optional<int> take();

private:
    Descriptor fd_;
};

} // namespace freshet
