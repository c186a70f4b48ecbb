// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes on their way out, by pieces that are shared and never copied. Threads: the connection's loop.

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <sys/uio.h>

namespace freshet::http {

class OutQueue {
public:
    static constexpr std::size_t pieces_max = 32; ///< in one system call

    bool empty() const { return pieces_.empty(); }
    std::size_t bytes() const { return bytes_; }

    /// @param from  bytes of the piece that are sent already.
    void push(std::shared_ptr<const std::string> piece, std::size_t from = 0)
    {
        if (piece->size() <= from) return;
        bytes_ += piece->size() - from;
        pieces_.push_back({std::move(piece), from});
    }

    /// The front as buffers. @return how many.
    std::size_t gather(std::array<iovec, pieces_max>& into) const
    {
        std::size_t count = 0;
        for (const Piece& piece : pieces_) {
            if (count == pieces_max) break;
            // iovec is not const-correct; sendmsg only reads.
            into[count++] = {const_cast<char*>(piece.bytes->data()) + piece.from, piece.bytes->size() - piece.from};
        }
        return count;
    }

    void sent(std::size_t bytes)
    {
        bytes_ -= bytes;
        while (bytes > 0) {
            Piece& front = pieces_.front();
            const std::size_t left = front.bytes->size() - front.from;
            if (bytes < left) {
                front.from += bytes;
                return;
            }
            bytes -= left;
            pieces_.pop_front();
        }
    }

    void clear()
    {
        pieces_.clear();
        bytes_ = 0;
    }

private:
    struct Piece {
        std::shared_ptr<const std::string> bytes;
        std::size_t from;
    };
    std::deque<Piece> pieces_;
    std::size_t bytes_ = 0;
};

} // namespace freshet::http
