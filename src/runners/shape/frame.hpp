// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the server and a shaping child say to one another over their socket pair.
//
// A frame is its length (4 bytes, little endian) and its payload; the payload is a row of integers (8 bytes, little
// endian) and texts (integer length, bytes). Both ends are the same binary, so there is no version. The child trusts
// the server; the server trusts nothing: a reply that does not decode ends the child.

#include "runners/shape/shape.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace freshet {

inline constexpr std::size_t frame_head_bytes = 4;

struct ShapeRequest {
    std::int64_t parent = 0; ///< the server's process id: a child that has another parent ends
    ShapeLimits limits;
    ShapeOrder order;
};

struct ShapeReply {
    ShapeResult<Shaped> result;
    /// The child keeps so much memory that a new one should take its place.
    bool worn = false;
};

/// A whole frame, with its head.
std::string encode(const ShapeRequest& request);
std::string encode(const ShapeReply& reply);

/// From a payload, without the head; nullopt unless every byte is accounted for.
std::optional<ShapeRequest> decode_request(std::string payload);
std::optional<ShapeReply> decode_reply(std::string payload);

/// The payload's length as the head says it.
std::size_t payload_bytes(const char (&head)[frame_head_bytes]);

/// The most that a frame of an order within `limits` may hold.
std::size_t frame_bytes_max(const ShapeLimits& limits);

} // namespace freshet
