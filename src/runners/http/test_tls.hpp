// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS for tests: certificates made on the spot, good and bad ones, and a TestServer that speaks with them.
//
// A TlsPeer answers one request per connection. Threads: as TestServer's handlers.

#include "runners/http/test_server.hpp"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string>
#include <unistd.h>

namespace freshet::test {

struct CertificateOf {
    std::string name = "IP:127.0.0.1";   ///< subjectAltName
    long from_s = -3600, until_s = 3600; ///< seconds from now
};

/// A self-signed certificate with its key, and a file of it to trust.
class Certificate {
public:
    explicit Certificate(const CertificateOf& of = {}) : key_{EVP_EC_gen("P-256")}, x509_{X509_new()}
    {
        X509_set_version(x509_.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509_.get()), 1);
        X509_gmtime_adj(X509_getm_notBefore(x509_.get()), of.from_s);
        X509_gmtime_adj(X509_getm_notAfter(x509_.get()), of.until_s);
        X509_set_pubkey(x509_.get(), key_.get());
        X509_NAME* subject = X509_get_subject_name(x509_.get());
        const std::string common = "freshet test";
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.c_str()),
                                   -1, -1, 0);
        X509_set_issuer_name(x509_.get(), subject);
        X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, of.name.c_str());
        X509_add_ext(x509_.get(), names, -1);
        X509_EXTENSION_free(names);
        X509_sign(x509_.get(), key_.get(), EVP_sha256());

        std::string path = (std::filesystem::temp_directory_path() / "freshet-test-XXXXXX").string();
        const int fd = ::mkstemp(path.data());
        FILE* file = ::fdopen(fd, "w");
        PEM_write_X509(file, x509_.get());
        std::fclose(file);
        file_ = path;
    }
    ~Certificate() { std::filesystem::remove(file_); }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    EVP_PKEY* key() const { return key_.get(); }
    X509* x509() const { return x509_.get(); }
    const std::string& file() const { return file_; }

private:
    struct Free {
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
        void operator()(X509* x509) const { X509_free(x509); }
    };
    std::unique_ptr<EVP_PKEY, Free> key_;
    std::unique_ptr<X509, Free> x509_;
    std::string file_;
};

/// What a TestServer does with each connection: a handshake with `certificate`, one request, `answer`.
inline TestServer::RawHandler over_tls(const Certificate& certificate, std::string answer)
{
    // OpenSSL writes without MSG_NOSIGNAL, and a client that refuses a certificate is gone at once.
    ::signal(SIGPIPE, SIG_IGN);
    const std::shared_ptr<SSL_CTX> context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    SSL_CTX_use_certificate(context.get(), certificate.x509());
    SSL_CTX_use_PrivateKey(context.get(), certificate.key());
    return [context, answer = std::move(answer)](Peer& peer) {
        SSL* ssl = SSL_new(context.get());
        SSL_set_fd(ssl, peer.fd());
        char request[4096];
        if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
            SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
            SSL_shutdown(ssl);
        }
        SSL_free(ssl);
        ERR_clear_error();
    };
}

inline std::string https_url(const TestServer& server, const std::string& host = "127.0.0.1")
{
    return "https://" + host + ":" + std::to_string(server.port()) + "/";
}

} // namespace freshet::test
