// SPDX-License-Identifier: Apache-2.0
// TLS: the right certificate, and every wrong one.
#include "runners/http/test_tls.hpp"
#include "runners/http/test_world.hpp"

namespace freshet::test {

namespace {

FlightFailure failure_over(const Certificate& certificate, const std::string& ca_file)
{
    TestServer server{over_tls(certificate, answer("200 OK", "[1]"))};
    World world;
    SourceDefinition source = source_at(https_url(server));
    source.http.ca_file = ca_file;
    return failure_of(world.fetch(source));
}

} // namespace

TEST(Tls, IsSpokenWithACertificateThatTheSourceSaysToTrust)
{
    const Certificate certificate;
    TestServer server{over_tls(certificate, answer("200 OK", "[1]"))};
    World world;
    SourceDefinition source = source_at(https_url(server));
    source.http.ca_file = certificate.file();
    const FlightData data = data_of(world.fetch(source));
    EXPECT_EQ(data.json, "[1]");
    std::string phases;
    for (const PhaseTime& phase : data.facts.phases) phases += phase.name + ' ';
    EXPECT_HAS(phases, "connect tls wait ");
}

TEST(Tls, RefusesACertificateThatNobodyVouchesFor)
{
    const FlightFailure end = failure_over(Certificate{}, "");
    EXPECT_EQ(end.code, "tls");
    EXPECT_EQ(end.error_class, ErrorClass::retryable);
    EXPECT_HAS(end.message, "the certificate is not to be trusted; if it is your own, name it with ca_file");
    EXPECT_HAS(end.message, "self-signed certificate");
}

TEST(Tls, RefusesACertificateOfAnotherName)
{
    const Certificate other{{.name = "DNS:other.test"}};
    const FlightFailure end = failure_over(other, other.file());
    EXPECT_EQ(end.code, "tls");
    EXPECT_HAS(end.message, "127.0.0.1");
}

TEST(Tls, RefusesACertificateOutOfItsTime)
{
    const Certificate expired{{.from_s = -7200, .until_s = -3600}};
    const FlightFailure late = failure_over(expired, expired.file());
    EXPECT_EQ(late.code, "tls");
    EXPECT_HAS(late.message, "expired");
    const Certificate future{{.from_s = 3600, .until_s = 7200}};
    const FlightFailure early = failure_over(future, future.file());
    EXPECT_EQ(early.code, "tls");
    EXPECT_HAS(early.message, "not yet valid");
}

TEST(Tls, SaysWhenTheOtherSideSpeaksNone)
{
    TestServer server{TestServer::RawHandler{[](Peer& peer) {
        peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.wait_until_gone();
    }}};
    World world;
    const FlightFailure end = failure_of(world.fetch(source_at(https_url(server))));
    EXPECT_EQ(end.code, "tls");
    EXPECT_HAS(end.message, "no TLS connection");
}

TEST(Tls, SaysWhenTheFileToTrustIsNotThere)
{
    const FlightFailure end = failure_over(Certificate{}, "/nowhere/ca.pem");
    EXPECT_EQ(end.code, "tls");
    EXPECT_EQ(end.error_class, ErrorClass::fatal);
    EXPECT_HAS(end.message, "check ca_file");
}

TEST(Tls, IsNotLeftByARedirect)
{
    TestServer plain{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    const Certificate certificate;
    TestServer server{over_tls(certificate, answer("302 Found", "", "Location: " + plain.url() + "\r\n"))};
    World world;
    SourceDefinition source = source_at(https_url(server));
    source.http.ca_file = certificate.file();
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "redirect");
    EXPECT_HAS(end.message, "out of TLS");
    EXPECT_EQ(plain.connections(), 0);
}

} // namespace freshet::test
