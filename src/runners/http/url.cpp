// SPDX-License-Identifier: Apache-2.0
#include "runners/http/url.hpp"

#include "model/key.hpp"

#include <curl/curl.h>
#include <memory>

namespace freshet {

namespace {

struct UrlDeleter {
    void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0)
{
    char* value = nullptr;
    if (curl_url_get(handle, which, &value, flags) != CURLUE_OK) return {};
    std::string text{value};
    curl_free(value);
    return text;
}

std::string lower(std::string text)
{
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return text;
}

// Credentials and fragment leave the handle; what is left is what will be fetched.
std::expected<Url, std::string> taken_apart(CURLU* handle)
{
    Url url;
    url.scheme = lower(part(handle, CURLUPART_SCHEME));
    if (url.scheme != "http" && url.scheme != "https")
        return std::unexpected("of scheme " + url.scheme.substr(0, 16) + "; only http and https are fetched");
    url.host = lower(part(handle, CURLUPART_HOST));
    url.port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    url.user = part(handle, CURLUPART_USER, CURLU_URLDECODE);
    url.password = part(handle, CURLUPART_PASSWORD, CURLU_URLDECODE);
    for (const CURLUPart gone : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT})
        curl_url_set(handle, gone, nullptr, 0);
    url.text = part(handle, CURLUPART_URL);
    if (url.host.empty() || url.text.empty()) return std::unexpected("not a URL");
    return url;
}

constexpr unsigned parse_flags = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE;

} // namespace

std::expected<Url, std::string> parse_url(std::string_view text)
{
    const UrlHandle handle{curl_url()};
    const std::string whole{text};
    const auto host = whole.find("://");
    if (host == std::string::npos || curl_url_set(handle.get(), CURLUPART_URL, whole.c_str(), parse_flags) != CURLUE_OK)
        return std::unexpected("not a URL");
    auto url = taken_apart(handle.get());
    // libcurl takes "http:///a" for the host "a", as browsers do; in a config it is a host that was left out.
    if (url && whole.compare(host + 3, 1, "/") == 0) return std::unexpected("not a URL");
    return url;
}

std::expected<Url, std::string> resolve_url(const Url& base, std::string_view reference)
{
    if (reference.empty() || reference.size() > 8192) return std::unexpected("not a URL");
    const UrlHandle handle{curl_url()};
    const std::string relative{reference};
    if (curl_url_set(handle.get(), CURLUPART_URL, base.text.c_str(), parse_flags) != CURLUE_OK ||
        curl_url_set(handle.get(), CURLUPART_URL, relative.c_str(), parse_flags) != CURLUE_OK)
        return std::unexpected("not a URL");
    auto url = taken_apart(handle.get());
    if (url) url->user.clear(), url->password.clear();
    return url;
}

std::string with_query(std::string_view url, std::string_view name, std::string_view value)
{
    const std::string_view whole = url.substr(0, url.find('#'));
    const auto mark = whole.find('?');
    std::string out{whole.substr(0, mark)};
    const std::string encoded_name = percent_encode(name);
    std::string query;
    std::string_view rest = mark == std::string_view::npos ? std::string_view{} : whole.substr(mark + 1);
    while (!rest.empty()) {
        const auto amp = rest.find('&');
        const std::string_view pair = rest.substr(0, amp);
        rest.remove_prefix(amp == std::string_view::npos ? rest.size() : amp + 1);
        const std::string_view its_name = pair.substr(0, pair.find('='));
        if (pair.empty() || its_name == name || its_name == encoded_name) continue;
        (query += pair) += '&';
    }
    return out + '?' + query + encoded_name + '=' + percent_encode(value);
}

std::string shown_url(std::string_view url)
{
    constexpr std::size_t shown_max = 200;
    std::string_view rest = url.substr(0, url.find('#'));
    std::string_view query;
    if (const auto mark = rest.find('?'); mark != std::string_view::npos)
        query = rest.substr(mark + 1), rest = rest.substr(0, mark);
    std::string out;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        out = rest.substr(0, scheme + 3);
        rest.remove_prefix(scheme + 3);
        const auto slash = rest.find('/');
        if (const auto at = rest.substr(0, slash).rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
    }
    out += rest;
    for (char separator = '?'; !query.empty(); separator = '&') {
        const auto amp = query.find('&');
        const std::string_view pair = query.substr(0, amp);
        query.remove_prefix(amp == std::string_view::npos ? query.size() : amp + 1);
        const auto equals = pair.find('=');
        // A lone word may itself be the secret ("?s3cr3t").
        if (equals == std::string_view::npos)
            (out += separator) += "…";
        else
            ((out += separator) += pair.substr(0, equals)) += "=…";
    }
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    if (out.size() > shown_max) {
        std::size_t cut = shown_max;
        while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xc0) == 0x80) --cut;
        out.resize(cut);
        out += "…";
    }
    return out;
}

} // namespace freshet
