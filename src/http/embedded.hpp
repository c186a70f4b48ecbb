// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files that are inside of the binary. Never change.
//
// Two tables: this floor's own (the API's description, style and script of the server's own pages), which is always
// there; and what the web build made (Services::web), which a binary that was built without Node does not have.

#include <span>
#include <string_view>

namespace freshet::http {

struct EmbeddedFile {
    std::string_view name; ///< as it is asked for: "assets/NAME-HASH.js", "elements.js", "console/index.html"
    std::string_view content_type;
    bool hashed = false; ///< the name holds the hash of the content: it may be kept for ever
    std::string_view bytes;
    std::string_view tag{};        ///< the content's hash, for revalidation
    std::string_view gzip{}, br{}; ///< made by the build; empty where a coding saves nothing
};

/// This floor's own; made by src/http/page/page.cmake.
std::span<const EmbeddedFile> embedded_files();

/// By name; null if there is none.
const EmbeddedFile* find_file(std::span<const EmbeddedFile> files, std::string_view name);

} // namespace freshet::http
