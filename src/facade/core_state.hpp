// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one core keeps for its facades and pages: what was rendered, what was decided, files that were coded.
//
// Life: one per core, made by the facades, emptied with each set of definitions. Threads: that core's loop.

#include "facade/ends_told.hpp"
#include "facade/kept.hpp"
#include "http/core.hpp"
#include "model/snapshot.hpp"
#include "runners/shape/shape.hpp"

#include <functional>
#include <memory>
#include <string>

namespace freshet::facade {

/// A body that an expression made, and what came with it.
struct Rendered {
    int status = 0;    ///< as the expression said; 0: it did not
    bool kept = false; ///< others are answered with it, too
    Body body;         ///< its hash is not used
    std::string tag;
};

/// What a facade's expressions said to a request.
struct Decided {
    std::string check, input, force; ///< JSON; empty: not asked
};

struct CoreState {
    static constexpr std::size_t rendered_bytes_max = 32UL << 20, decided_bytes_max = 4UL << 20,
                                 files_bytes_max = 16UL << 20;
    Kept<Rendered> rendered{rendered_bytes_max};
    Kept<Decided> decided{decided_bytes_max};
    Kept<Body> files{files_bytes_max};   ///< of pages, by their tags
    std::shared_ptr<EndsTold> ends_told; ///< of all cores
};

/// Has an order shaped in a child; the answer comes on the core's loop.
using Shape = std::function<void(http::Core& core, ShapeOrder order, ShapeAnswer answer)>;

} // namespace freshet::facade
