// SPDX-License-Identifier: Apache-2.0
#include "http/codings.hpp"

#include "base/failure.hpp"

#include <brotli/encode.h>
#include <libdeflate.h>
#include <zstd.h>

namespace freshet::http {

namespace {

constexpr int gzip_level = 6;
constexpr int brotli_quality = 5;
constexpr int zstd_level = 6;

std::size_t index_of(Coding coding)
{
    return static_cast<std::size_t>(coding) - 1;
}

std::size_t gzip_into(std::string_view bytes, std::string& out)
{
    const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor{
        libdeflate_alloc_compressor(gzip_level), libdeflate_free_compressor};
    if (!compressor) throw Failure{"no memory to compress with gzip"};
    return libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(), out.size());
}

std::size_t brotli_into(std::string_view bytes, std::string& out)
{
    std::size_t size = out.size();
    // BrotliEncoderCompress takes bytes, not chars.
    const bool ok = BrotliEncoderCompress(brotli_quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, bytes.size(),
                                          reinterpret_cast<const std::uint8_t*>(bytes.data()), &size,
                                          reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_TRUE;
    return ok ? size : 0;
}

std::size_t zstd_into(std::string_view bytes, std::string& out)
{
    const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), zstd_level);
    return ZSTD_isError(size) != 0 ? 0 : size;
}

} // namespace

std::string encode(std::string_view bytes, Coding coding)
{
    // Room for one byte less than the original: whatever does not fit is not worth it.
    std::string out(bytes.empty() ? 0 : bytes.size() - 1, '\0');
    std::size_t size = 0;
    switch (coding) {
    case Coding::identity: return {};
    case Coding::gzip: size = gzip_into(bytes, out); break;
    case Coding::br: size = brotli_into(bytes, out); break;
    case Coding::zstd: size = zstd_into(bytes, out); break;
    }
    out.resize(size);
    out.shrink_to_fit();
    return out;
}

std::shared_ptr<const std::string> coded(const Body& body, Coding coding)
{
    if (coding == Coding::identity) return nullptr;
    return body.coded[index_of(coding)].load(std::memory_order_acquire);
}

bool begin_coding(const Body& body, Coding coding)
{
    return coding != Coding::identity && !body.coding_begun[index_of(coding)].exchange(true, std::memory_order_acq_rel);
}

void make_coding(const Body& body, Coding coding)
{
    std::string bytes = encode(body.bytes, coding);
    if (bytes.empty()) return;
    body.coded[index_of(coding)].store(std::make_shared<const std::string>(std::move(bytes)),
                                       std::memory_order_release);
}

Choice choose_coding(const Body& body, const AcceptedCodings& accepted)
{
    Choice choice;
    if (body.bytes.size() < coded_bytes_min) return choice;
    bool best = true; // only the coding that the peer likes best is made, as in ready_answer()
    for (std::size_t i = 0; i < accepted.count; ++i) {
        const Coding coding = accepted.order[i];
        if (coding == Coding::identity) return choice;
        if (auto bytes = coded(body, coding)) {
            choice.serve = coding;
            choice.bytes = std::move(bytes);
            return choice;
        }
        if (best && !body.coding_begun[index_of(coding)].load(std::memory_order_relaxed)) choice.make = coding;
        best = false;
    }
    return choice;
}

} // namespace freshet::http
