// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the web build made, as the binary holds it; empty when it was built without Node (cmake/web.cmake).

#include "http/embedded.hpp"

namespace freshet {

std::span<const http::EmbeddedFile> web_files();

} // namespace freshet
