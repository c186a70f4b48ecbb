// SPDX-License-Identifier: Apache-2.0
#pragma once
// The stand-in sites as a test starts them, and libcurl as their client.

#include <array>
#include <csignal>
#include <curl/curl.h>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace stand_in {

/// A folder of its own that is gone afterwards.
class Folder {
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "freshet-upstream-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The binary while it runs; its address is what it printed.
class Upstream {
public:
    explicit Upstream(std::vector<std::string> arguments = {})
    {
        arguments.insert(arguments.begin(), {FRESHET_UPSTREAM, "--port", "0"});
        std::array<int, 2> out{};
        if (pipe(out.data()) != 0) return;
        pid_ = fork();
        if (pid_ == 0) {
            dup2(out[1], STDOUT_FILENO);
            std::vector<char*> words;
            for (std::string& argument : arguments) words.push_back(argument.data());
            words.push_back(nullptr);
            execv(words[0], words.data());
            _exit(127);
        }
        close(out[1]);
        FILE* const lines = fdopen(out[0], "r");
        std::array<char, 256> line{};
        while (std::fgets(line.data(), line.size(), lines) != nullptr) {
            std::istringstream words(line.data());
            std::string last;
            while (words >> last) {
            }
            (last.starts_with("https") ? tls_url : url) = last;
            if (!url.empty()) break;
        }
        std::fclose(lines);
    }
    ~Upstream() { stop(); }
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    /// The exit status; -1 if it was stopped before.
    int stop()
    {
        if (pid_ <= 0) return -1;
        kill(pid_, SIGTERM);
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return status;
    }

    std::string url, tls_url;

private:
    pid_t pid_ = -1;
};

struct Got {
    CURLcode code = CURLE_OK;
    long status = 0;
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;
};

struct Asked {
    std::string url, method = "GET", body, ca_file;
    std::vector<std::string> headers;
    long timeout_ms = 5000;
    std::size_t bytes_max = 1 << 22;
    bool decode = false;
};

inline size_t take_header(char* data, size_t, size_t size, void* to)
{
    const std::string line(data, size);
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return size;
    std::string name = line.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    (*static_cast<std::map<std::string, std::string>*>(to))[name] = line.substr(colon + 2, line.find('\r') - colon - 2);
    return size;
}

struct Sink {
    std::string* body;
    std::size_t bytes_max;
};

inline size_t take_body(char* data, size_t, size_t size, void* to)
{
    const Sink& sink = *static_cast<Sink*>(to);
    sink.body->append(data, size);
    return sink.body->size() > sink.bytes_max ? 0 : size;
}

inline Got ask(const Asked& asked)
{
    Got got;
    CURL* const curl = curl_easy_init();
    Sink sink{&got.body, asked.bytes_max};
    curl_slist* headers = nullptr;
    for (const std::string& header : asked.headers) headers = curl_slist_append(headers, header.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, asked.url.c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asked.method.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, asked.timeout_ms);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &got.headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
    if (asked.decode) curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (!asked.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, asked.ca_file.c_str());
    if (!asked.body.empty()) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, asked.body.data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(asked.body.size()));
    }
    got.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return got;
}

inline Got get(const Upstream& upstream, const std::string& path, std::vector<std::string> headers = {})
{
    return ask({.url = upstream.url + path, .headers = std::move(headers)});
}

inline Got control(const Upstream& upstream, const std::string& site, const std::string& fields)
{
    return ask({.url = upstream.url + "/_control/" + site, .method = "PUT", .body = fields});
}

/// Asks until the site's state shows what is awaited; the request that it waits for is under way on another thread.
inline bool shows(const Upstream& upstream, const std::string& site, const std::string& text)
{
    for (int i = 0; i < 5000; ++i)
        if (get(upstream, "/_control/" + site).body.find(text) != std::string::npos) return true;
    return false;
}

inline std::size_t count_of(const std::string& text, const std::string& piece)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++count;
    return count;
}

} // namespace stand_in
