// SPDX-License-Identifier: Apache-2.0
#include "runners/http/transfer.hpp"

#include "base/assert.hpp"
#include "runners/http/address.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <curl/curl.h>
#include <sys/socket.h>

namespace freshet {

namespace {

constexpr Millis connection_life_max = 5min;

// curl_easy_setopt takes what the option says, by varargs; a failure here is a bug or memory that ran out.
template <class T>
void set(CURL* handle, CURLoption option, T value)
{
    const CURLcode code = curl_easy_setopt(handle, option, value);
    FRESHET_ASSERT(code == CURLE_OK);
}

curl_off_t info(CURL* handle, CURLINFO which)
{
    curl_off_t value = 0;
    return curl_easy_getinfo(handle, which, &value) == CURLE_OK ? value : 0;
}

} // namespace

void TransferTimes::add(const TransferTimes& other)
{
    resolve += other.resolve, connect += other.connect, tls += other.tls, wait += other.wait, read += other.read;
}

struct Transfer::Curl {
    CURL* easy = curl_easy_init();
    curl_slist* headers = nullptr;
    curl_slist* names = nullptr;
    std::array<char, CURL_ERROR_SIZE> error{};
    Curl() = default;
    Curl(const Curl&) = delete;
    Curl& operator=(const Curl&) = delete;
    ~Curl()
    {
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
        curl_slist_free_all(names);
    }
};

// What libcurl calls while it works. Each returns to C: nothing here throws but bad_alloc, which ends the process.
struct Transfer::Callbacks {
    static Transfer& self(void* data) { return *static_cast<Transfer*>(data); }

    static curl_socket_t open_socket(void* data, curlsocktype purpose, curl_sockaddr* address) noexcept
    {
        Transfer& t = self(data);
        t.phase_ = HttpPhase::connecting;
        if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
        if (!t.request_.allow_private && t.request_.proxy.empty()) {
            if (const auto why = not_public(address->addr)) {
                (t.refused_ = to_text(address->addr)).append(" is ").append(*why);
                return CURL_SOCKET_BAD;
            }
        }
        ++t.sockets_opened_;
        return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }

    // libcurl asks for last touches to a handshake that it is about to begin.
    static CURLcode before_handshake(CURL*, void*, void* data) noexcept
    {
        self(data).phase_ = HttpPhase::tls;
        return CURLE_OK;
    }

    // The connection stands, new or used before; what was checked when it was opened is checked once more.
    static int before_request(void* data, char* peer_address, char*, int, int) noexcept
    {
        Transfer& t = self(data);
        t.phase_ = HttpPhase::waiting;
        if (t.request_.allow_private || !t.request_.proxy.empty()) return CURL_PREREQFUNC_OK;
        const auto why = not_public_host(peer_address);
        if (!why) return CURL_PREREQFUNC_OK;
        (t.refused_ = peer_address).append(" is ").append(*why);
        t.stop_ = TransferStop::private_address;
        return CURL_PREREQFUNC_ABORT;
    }

    static std::size_t header(char* line, std::size_t, std::size_t size, void* data) noexcept
    {
        Transfer& t = self(data);
        t.phase_ = HttpPhase::reading;
        ++t.pulse_;
        if ((t.head_bytes_ += size) > head_bytes_max) return t.end(TransferStop::head_too_large);
        const bool was_complete = t.head_.complete;
        t.head_.take_line({line, size});
        if (was_complete || !t.head_.complete) return size;
        const int status = t.head_.status;
        if (status == 304 || (is_redirect(status) && !t.head_.location.empty())) return size;
        if (!is_data(status)) return t.end(TransferStop::head_is_enough);
        if (t.head_.content_length.value_or(0) > t.request_.bytes_max) return t.end(TransferStop::body_too_large);
        return size;
    }

    static std::size_t write(char* bytes, std::size_t, std::size_t size, void* data) noexcept
    {
        Transfer& t = self(data);
        ++t.pulse_;
        const auto added = static_cast<std::int64_t>(size);
        if (!is_data(t.head_.status)) {
            t.drained_ += added;
            return t.drained_ > drain_bytes_max ? t.end(TransferStop::head_is_enough) : size;
        }
        if (added > t.request_.bytes_max - static_cast<std::int64_t>(t.body_.size()))
            return t.end(TransferStop::body_too_large);
        t.body_.append(bytes, size);
        return size;
    }

    // Compressed bytes can be endless and decode to nothing, so what is received is bounded as well.
    static int moved(void* data, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) noexcept
    {
        Transfer& t = self(data);
        if (!is_data(t.head_.status) || received <= t.request_.bytes_max) return 0;
        t.stop_ = TransferStop::body_too_large;
        return 1;
    }
};

std::size_t Transfer::end(TransferStop why)
{
    stop_ = why;
    return 0;
}

Transfer::Transfer(HttpRequest request) : request_{std::move(request)}, curl_{std::make_unique<Curl>()}
{
    FRESHET_ASSERT(curl_->easy != nullptr);
    set_up();
}

Transfer::~Transfer() = default;

void Transfer::set_up()
{
    CURL* easy = curl_->easy;
    void* self = this;
    set(easy, CURLOPT_PRIVATE, self);
    set(easy, CURLOPT_ERRORBUFFER, curl_->error.data());
    set(easy, CURLOPT_NOSIGNAL, 1L);
    // A name server that hangs must not hold the thread when the transfer is given up.
    set(easy, CURLOPT_QUICK_EXIT, 1L);
    set(easy, CURLOPT_URL, request_.url.text.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    // One flight, one connection: no answer waits behind another one's bytes.
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_ACCEPT_ENCODING, "");
    set(easy, CURLOPT_BUFFERSIZE, 64L << 10);
    // The runner ends it at the limit and knows the phase; this is for a runner that is late.
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>((request_.connect_limit + 1s).count()));
    set(easy, CURLOPT_MAXLIFETIME_CONN, static_cast<long>(connection_life_max / 1s));

    set(easy, CURLOPT_PROXY, request_.proxy.c_str()); // "" also switches the environment's off
    set(easy, CURLOPT_NOPROXY, "");
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    // Takes the place of the bundle; Debian's directory of system certificates stays in force beside it.
    if (!request_.ca_file.empty()) set(easy, CURLOPT_CAINFO, request_.ca_file.c_str());
    if (!request_.user.empty()) {
        set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        set(easy, CURLOPT_USERNAME, request_.user.c_str());
        set(easy, CURLOPT_PASSWORD, request_.password.c_str());
    }

    if (request_.method != "GET") {
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(easy, CURLOPT_POSTFIELDS, request_.body.data());
        set(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    for (const std::string& line : request_.headers) curl_->headers = curl_slist_append(curl_->headers, line.c_str());
    curl_->headers = curl_slist_append(curl_->headers, "Expect:"); // no round trip before a body
    set(easy, CURLOPT_HTTPHEADER, curl_->headers);
    set(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE)); // none of ours to a proxy

    for (const std::string& name : request_.names) curl_->names = curl_slist_append(curl_->names, name.c_str());
    set(easy, CURLOPT_RESOLVE, curl_->names);

    set(easy, CURLOPT_OPENSOCKETFUNCTION, &Callbacks::open_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, self);
    // A libcurl over another TLS library has no such call: there a handshake is told as connecting.
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Callbacks::before_handshake);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, self);
    set(easy, CURLOPT_PREREQFUNCTION, &Callbacks::before_request);
    set(easy, CURLOPT_PREREQDATA, self);
    set(easy, CURLOPT_HEADERFUNCTION, &Callbacks::header);
    set(easy, CURLOPT_HEADERDATA, self);
    set(easy, CURLOPT_WRITEFUNCTION, &Callbacks::write);
    set(easy, CURLOPT_WRITEDATA, self);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, &Callbacks::moved);
    set(easy, CURLOPT_XFERINFODATA, self);
}

TransferStop Transfer::stop() const
{
    if (stop_ == TransferStop::none && !refused_.empty() && sockets_opened_ == 0) return TransferStop::private_address;
    return stop_;
}

std::string Transfer::detail() const
{
    constexpr std::size_t detail_max = 160;
    std::string text{curl_->error.data()};
    // Where connecting failed, the system knows why and libcurl only says that.
    long system_error = 0;
    curl_easy_getinfo(curl_->easy, CURLINFO_OS_ERRNO, &system_error);
    const char* words = sockets_opened_ > 0 ? strerrordesc_np(static_cast<int>(system_error)) : nullptr;
    if (phase_ == HttpPhase::connecting && system_error != 0 && words != nullptr) text = words;
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    if (text.size() > detail_max) text.resize(detail_max);
    return text;
}

int Transfer::proxy_status() const
{
    long status = 0;
    curl_easy_getinfo(curl_->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return static_cast<int>(status);
}

std::int64_t Transfer::bytes_in() const
{
    return info(curl_->easy, CURLINFO_SIZE_DOWNLOAD_T);
}

TransferTimes Transfer::times() const
{
    const auto at = [&](CURLINFO which) { return static_cast<std::int64_t>(info(curl_->easy, which)); };
    // Each point is at least the one before it; points that were not reached took no time.
    const std::int64_t total = at(CURLINFO_TOTAL_TIME_T);
    const std::int64_t resolved = std::min(total, at(CURLINFO_NAMELOOKUP_TIME_T));
    const std::int64_t connected = std::clamp(at(CURLINFO_CONNECT_TIME_T), resolved, total);
    const std::int64_t secured = std::clamp(at(CURLINFO_APPCONNECT_TIME_T), connected, total);
    const std::int64_t answered = std::clamp(at(CURLINFO_STARTTRANSFER_TIME_T), secured, total);
    return {resolved, connected - resolved, secured - connected, answered - secured, total - answered};
}

void* Transfer::handle() const
{
    return curl_->easy;
}

} // namespace freshet
