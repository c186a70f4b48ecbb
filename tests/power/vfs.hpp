// SPDX-License-Identifier: Apache-2.0
#pragma once
// The C side of power::Disk: SQLite's tables of functions, each handing over to the disk. No exception leaves it.

#include "power/disk.hpp"

#include <memory>
#include <sqlite3.h>

namespace freshet::power {

/// Not registered yet; `disk` must outlive it.
std::unique_ptr<sqlite3_vfs> make_vfs(Disk& disk);

} // namespace freshet::power
