// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/child.hpp"

#include "runners/shape/frame.hpp"
#include "runners/shape/shaper.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlmemory.h>
#include <malloc.h>
#include <new>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FRESHET_ADDRESS_SPACE_IS_FREE 0 // sanitizers map terabytes
#else
#define FRESHET_ADDRESS_SPACE_IS_FREE 1
#endif

namespace freshet {

namespace {

// Whoever finds no memory ends the process at once: libjq would abort, and nobody could carry on in earnest.
[[noreturn]] void end_without_memory()
{
    _exit(child_exit_out_of_memory);
}
void end_without_memory_for_jq(void*)
{
    end_without_memory();
}

void* xml_malloc(std::size_t size)
{
    void* memory = std::malloc(size);
    if (memory == nullptr && size > 0) end_without_memory();
    return memory;
}

void* xml_realloc(void* old, std::size_t size)
{
    void* memory = std::realloc(old, size);
    if (memory == nullptr && size > 0) end_without_memory();
    return memory;
}

char* xml_strdup(const char* text)
{
    const std::size_t size = std::strlen(text) + 1;
    return static_cast<char*>(std::memcpy(xml_malloc(size), text, size));
}

xmlParserInput* no_external_entity(const char*, const char*, xmlParserCtxt*)
{
    return nullptr;
}

void limit(__rlimit_resource_t resource, rlim_t value)
{
    const rlimit both{value, value};
    setrlimit(resource, &both);
}

// The hard limit stays, so that the next order may be given its own.
void limit_softly(__rlimit_resource_t resource, rlim_t value)
{
    rlimit now{};
    getrlimit(resource, &now);
    now.rlim_cur = std::min(value, now.rlim_max);
    setrlimit(resource, &now);
}

// Pages that the process maps, from /proc/self/statm: taken once, while files may still be opened.
std::size_t address_space_bytes()
{
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 256UL << 20;
    char text[64] = {};
    const ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    return size <= 0 ? 256UL << 20 : std::strtoull(text, nullptr, 10) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void shut_off(int fd)
{
    static char* nothing[] = {nullptr};
    environ = nothing; // jq looks at what stands here, and not only through getenv()
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0);
    const int null = open("/dev/null", O_RDWR);
    for (int standard = 0; standard < 3; ++standard)
        if (standard != fd && null >= 0) dup2(null, standard);
    if (fd > 3) close_range(3, static_cast<unsigned>(fd - 1), 0);
    close_range(static_cast<unsigned>(std::max(fd + 1, 3)), ~0U, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
}

void prepare_libraries()
{
    std::set_new_handler(end_without_memory);
    jv_nomem_handler(end_without_memory_for_jq, nullptr);
    xmlMemSetup(std::free, xml_malloc, xml_realloc, xml_strdup);
    xmlInitParser();
    xmlSetExternalEntityLoader(no_external_entity);
}

void limit_order(const ShapeLimits& limits, std::size_t input_bytes, std::size_t mapped_bytes)
{
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds_used = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    const auto seconds_more = static_cast<rlim_t>(limits.run_max / 1s);
    // The server's clock is the real limit; this one ends a child that nobody watches any more.
    limit_softly(RLIMIT_CPU, seconds_used + seconds_more + 2);
    constexpr std::size_t reading_bytes_per_byte = 16; // simdjson's tape and index, asked for but hardly used
    if (FRESHET_ADDRESS_SPACE_IS_FREE != 0)
        limit_softly(RLIMIT_AS, mapped_bytes + limits.memory_bytes_max + input_bytes * reading_bytes_per_byte);
}

bool read_exactly(int fd, char* into, std::size_t size)
{
    while (size > 0) {
        const ssize_t got = read(fd, into, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        into += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

bool write_exactly(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

// A heap that large orders left in pieces is not given back: better a new process.
bool worn_by(const ShapeLimits& limits)
{
    malloc_trim(0);
    const struct mallinfo2 heap = mallinfo2();
    return heap.arena + heap.hblkhd > limits.memory_bytes_max / 4;
}

} // namespace

int run_shape_child(int fd)
{
    shut_off(fd);
    prepare_libraries();
    const std::size_t mapped_bytes = address_space_bytes();
    limit(RLIMIT_NOFILE, 0);

    Shaper shaper;
    for (;;) {
        char head[frame_head_bytes];
        if (!read_exactly(fd, head, sizeof head)) return 0;
        std::string payload(payload_bytes(head), '\0');
        if (!read_exactly(fd, payload.data(), payload.size())) return 0;
        std::optional<ShapeRequest> request = decode_request(std::move(payload));
        if (!request) return child_exit_bad_frame;
        // The parent may have died before PR_SET_PDEATHSIG was set.
        if (getppid() != request->parent) return 0;
        const ShapeLimits limits = request->limits;
        limit_order(limits, request->order.input.size(), mapped_bytes);
        ShapeReply reply{shaper.shape(std::move(request->order), limits), false};
        reply.worn = worn_by(limits);
        if (!write_exactly(fd, encode(reply))) return 0;
    }
}

} // namespace freshet
