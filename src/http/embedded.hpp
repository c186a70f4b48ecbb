// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files that are inside of the binary; their table is made by the build (src/http/page/page.cmake). Never change.

#include <span>
#include <string_view>

namespace freshet::http {

struct EmbeddedFile {
    std::string_view name, content_type;
    bool hashed = false; ///< the name holds the hash of the content: it may be kept for ever
    std::string_view bytes;
};

std::span<const EmbeddedFile> embedded_files();

/// By name; null if there is none.
const EmbeddedFile* embedded_file(std::string_view name);

} // namespace freshet::http
