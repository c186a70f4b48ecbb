// SPDX-License-Identifier: Apache-2.0
#include "gzip.hpp"

#include <zlib.h>

namespace upstream {

namespace {

constexpr int gzip_window = 15 + 16; // 16 asks zlib for the gzip wrapper
constexpr int raw_window = -15;

/// Deflates `text` in one go; the output ends as `flush` says.
std::string deflated(std::string_view text, int window, int flush)
{
    z_stream stream{};
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    std::string in(text);
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, flush);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

void append_little_endian(std::string& out, std::uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

} // namespace

std::string gzip(std::string_view text)
{
    return deflated(text, gzip_window, Z_FINISH);
}

std::string gzip_bomb()
{
    // One piece ends on a byte and refers to nothing before it, so it may be repeated; only the check sum is of the
    // whole.
    constexpr std::size_t piece_bytes = 1 << 20, pieces = 10 * 1024;
    const std::string spaces(piece_bytes, ' ');
    const std::string piece = deflated(spaces, raw_window, Z_FULL_FLUSH);
    const uLong piece_sum = crc32(0, reinterpret_cast<const Bytef*>(spaces.data()), piece_bytes);

    std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10);
    uLong sum = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
        out += piece;
        sum = crc32_combine(sum, piece_sum, piece_bytes);
    }
    out += deflated("", raw_window, Z_FINISH);
    append_little_endian(out, static_cast<std::uint32_t>(sum));
    append_little_endian(out, static_cast<std::uint32_t>(piece_bytes * pieces));
    return out;
}

} // namespace upstream
