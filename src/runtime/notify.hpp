// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tells the service manager how it stands (systemd's NOTIFY_SOCKET, Type=notify). Without one it says nothing.

#include <string_view>

namespace freshet {

/// Sends "READY=1", "STOPPING=1" and the like. False when nobody listens.
bool notify_manager(std::string_view state);

} // namespace freshet
