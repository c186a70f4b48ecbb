// SPDX-License-Identifier: Apache-2.0
#pragma once
// What runners are given to shape with: a ShapeCall that queues in a ShapePool.
//
// The pool must outlive every call, so it is stopped and destroyed after the runners are. An order that the pool
// refuses (busy, too_large, stopped) is answered from inside the call. Threads: any.

#include "runners/shape/child_pool.hpp"

namespace freshet {

inline ShapeCall shape_call(ShapePool& pool)
{
    return [&pool](ShapeOrder order, Millis limit, const ShapeAnswer& answer) {
        const ShapeResult<ShapePool::Ticket> ticket = pool.submit(std::move(order), limit, answer);
        if (!ticket) answer(std::unexpected(ticket.error()));
    };
}

} // namespace freshet
