// SPDX-License-Identifier: Apache-2.0
#include "runners/http/response_head.hpp"

#include <gtest/gtest.h>

namespace freshet {

namespace {

ResponseHead head_of(std::initializer_list<const char*> lines)
{
    ResponseHead head;
    for (const char* line : lines) head.take_line(line);
    return head;
}

std::optional<std::string> next_of(const char* value)
{
    return next_link({value});
}

} // namespace

TEST(ResponseHead, KeepsTheFieldsOfTheFinalResponseOnly)
{
    const ResponseHead head = head_of({"HTTP/1.1 103 Early Hints\r\n", "ETag: \"early\"\r\n", "\r\n",
                                       "HTTP/1.1 200 OK\r\n", "content-TYPE:  text/html \r\n", "ETag: W/\"a\"\r\n",
                                       "Content-Length: 12\r\n", "\r\n", "ETag: \"trailer\"\r\n"});
    EXPECT_TRUE(head.complete);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.content_type, "text/html");
    EXPECT_EQ(head.etag, "W/\"a\"");
    EXPECT_EQ(head.content_length, 12);
}

TEST(ResponseHead, IsNotCompleteAfterAnInterimResponse)
{
    EXPECT_FALSE(head_of({"HTTP/1.1 100 Continue\r\n", "\r\n"}).complete);
}

TEST(ResponseHead, CountsATooLongFieldAsAbsent)
{
    const std::string line = "ETag: \"" + std::string(ResponseHead::field_bytes_max, 'a') + "\"\r\n";
    EXPECT_EQ(head_of({"HTTP/1.1 200 OK\r\n", line.c_str(), "\r\n"}).etag, "");
}

TEST(NextLink, FindsTheNextRelationHoweverItIsWritten)
{
    EXPECT_EQ(next_of("<https://e.com/?page=2>; rel=\"next\""), "https://e.com/?page=2");
    EXPECT_EQ(next_of("</a>; rel=prev, </c,d;e>; title=\"a, \\\"b; rel=x\"; rel=\"last next\""), "/c,d;e");
    EXPECT_EQ(next_of("</a>;REL=NEXT"), "/a");
    EXPECT_EQ(next_of("</a>; rel = \"next\" , </b>; rel=next"), "/a");
    EXPECT_EQ(next_link({"</a>; rel=first", "</b>; rel=next"}), "/b");
}

TEST(NextLink, FindsNothingWhereNothingIsNext)
{
    for (const char* value :
         {"", ",", "<", "</a>", "</a>; rel=prev", "</a>; rel=nextish", "</a>; rel=prev; rel=next", "<>; rel=next",
          "</a>; anchor=\"/x\"; rel=next", "</a; rel=next", "garbage; rel=next", "</a>; rel=\"unclosed"})
        EXPECT_EQ(next_of(value), std::nullopt) << value;
}

TEST(RetryAfter, ReadsSecondsAndDatesAndCutsThemToADay)
{
    const WallTime now = from_http_date("Tue, 24 Nov 2026 16:00:00 GMT").value();
    const auto wait = [&](const char* field, const char* date = "") {
        ResponseHead head;
        head.retry_after = field, head.date = date;
        return retry_after(head, now);
    };
    EXPECT_EQ(wait("120"), 120s);
    EXPECT_EQ(wait("0"), 0s);
    EXPECT_EQ(wait("86401"), 24h);
    EXPECT_EQ(wait("99999999999999999999999"), 24h);
    EXPECT_EQ(wait("Tue, 24 Nov 2026 16:05:00 GMT"), 5min);
    EXPECT_EQ(wait("Tue, 24 Nov 2026 15:05:00 GMT"), 0s);
    EXPECT_EQ(wait("Fri, 24 Nov 2028 16:05:00 GMT"), 24h);
    for (const char* none : {"", "soon", "-5", "1.5", "12 s"}) EXPECT_EQ(wait(none), std::nullopt) << none;
}

TEST(RetryAfter, ReckonsADateFromTheSourcesOwnClock)
{
    ResponseHead head;
    head.date = "Tue, 24 Nov 2026 12:00:00 GMT";
    head.retry_after = "Tue, 24 Nov 2026 12:01:00 GMT";
    EXPECT_EQ(retry_after(head, from_http_date("Tue, 24 Nov 2026 16:00:00 GMT").value()), 1min);
}

} // namespace freshet
