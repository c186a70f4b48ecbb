// SPDX-License-Identifier: Apache-2.0
#pragma once
// The first page of a backup file. Within the floor `backup`.

#include "backup/backup_file.hpp"

namespace freshet {

inline constexpr int backup_format = 1;

/// backup_page_bytes long.
std::string make_page(const BackupManifest& manifest);

} // namespace freshet
