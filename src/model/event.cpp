// SPDX-License-Identifier: Apache-2.0
#include "model/event.hpp"

namespace freshet {

std::string_view to_text(EventKind kind)
{
    switch (kind) {
    case EventKind::change: return "change";
    case EventKind::job: return "job";
    case EventKind::fire: return "fire";
    case EventKind::batch: return "batch";
    }
    return "change";
}

} // namespace freshet
