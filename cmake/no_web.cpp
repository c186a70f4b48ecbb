// SPDX-License-Identifier: Apache-2.0
// Of a binary that was built without Node: no console, no elements (cmake/web.cmake).
#include "app/web_files.hpp"

namespace freshet {

std::span<const http::EmbeddedFile> web_files()
{
    return {};
}

} // namespace freshet
